/** A code editor: CodeMirror, with colours from the page's style sheet. */
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { javascript } from "@codemirror/lang-javascript";
import { python } from "@codemirror/lang-python";
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { EditorState, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useEffect, useRef } from "preact/hooks";

/** Languages with colours. */
export type Language = "python" | "javascript" | "text";

export interface EditorProps {
  /** Another document is another `id`: the editor begins anew with its text. */
  readonly id: string;
  readonly text: string;
  readonly language: Language;
  /** What it is for, to a screen reader. */
  readonly label: string;
  readonly onChange: (text: string) => void;
  /** Called on Ctrl+Enter or ⌘Enter. */
  readonly onRun?: () => void;
  /** @default false */
  readonly short?: boolean;
}

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.operatorKeyword], color: "var(--code-keyword)" },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: "var(--code-number)" },
  { tag: [tags.comment, tags.docString], color: "var(--code-comment)" },
  { tag: [tags.function(tags.variableName), tags.definition(tags.variableName)], color: "var(--code-name)" },
  { tag: [tags.className, tags.typeName], color: "var(--code-name)" },
]);

const LANGUAGES: Readonly<Record<Language, () => Extension>> = {
  python: () => [python(), indentUnit.of("    ")],
  javascript: () => [javascript(), indentUnit.of("  ")],
  text: () => [],
};

/** The nonce that the style sheet of the editor needs under the page's policy. */
const nonce = document.querySelector<HTMLMetaElement>("meta[name=nonce]")?.nonce ?? "";

/** An editor. Tab indents; Escape and then Tab leaves it. */
export function Editor({ id, text, language, label, onChange, onRun, short = false }: EditorProps) {
  const place = useRef<HTMLDivElement>(null);
  const latest = useRef({ onChange, onRun });
  latest.current = { onChange, onRun };

  useEffect(() => {
    const run = () => {
      latest.current.onRun?.();
      return true;
    };
    const view = new EditorView({
      parent: place.current ?? undefined,
      state: EditorState.create({
        doc: text,
        extensions: [
          EditorView.cspNonce.of(nonce),
          keymap.of([{ key: "Mod-Enter", run }, indentWithTab, ...defaultKeymap, ...historyKeymap]),
          short ? [] : lineNumbers(),
          history(),
          drawSelection(),
          indentOnInput(),
          bracketMatching(),
          short ? [] : highlightActiveLine(),
          syntaxHighlighting(colours),
          LANGUAGES[language](),
          EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false" }),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) {
              latest.current.onChange(update.state.doc.toString());
            }
          }),
        ],
      }),
    });
    return () => view.destroy();
  }, [id, language, label]);

  return <div ref={place} class={short ? "editor short" : "editor"} />;
}

/** The language of a file, by its name. */
export function languageOf(path: string): Language {
  if (path.endsWith(".py")) {
    return "python";
  }
  return /\.(m?js|cjs|json|ts)$/.test(path) ? "javascript" : "text";
}
