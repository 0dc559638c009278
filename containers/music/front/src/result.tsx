/** What has come of a run: the words, the mood, and the candidates to listen to. */
import { addressOf, type Run } from "./api";

/** Shows a run as far as it is. */
export function Result({ run: { transcript, mood, candidates, order } }: { readonly run: Run }) {
  return (
    <section aria-label="Result">
      {transcript && (
        <blockquote>
          <p>{transcript.text}</p>
        </blockquote>
      )}
      {mood && (
        <p>
          Mood: <strong>{mood.mood}</strong>
          <meter aria-label="Valence, from sad to happy" min={-1} max={1} value={mood.valence} />
        </p>
      )}
      <ol className="candidates">
        {candidates.map(({ index, status, href, error, model, seconds }) => (
          <li key={index}>
            <h2>Candidate {index + 1}</h2>
            {href === undefined ? (
              <p className="quiet">{status === "failed" ? `It failed: ${error}` : "Not there yet."}</p>
            ) : (
              <>
                {/* biome-ignore lint/a11y/useMediaCaption: music without words has nothing to caption. */}
                <audio controls preload="metadata" src={addressOf(href)} aria-label={`Candidate ${index + 1}`} />
                <p className="actions">
                  <a className="button" href={addressOf(href)} download={`candidate-${index + 1}.wav`}>
                    Download
                  </a>
                  <span className="quiet">
                    {seconds} s, {model}, seed {order?.seed}
                  </span>
                </p>
              </>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}
