/** A secretlint rule for the one kind of key that this project makes itself. */
import type { SecretLintRuleCreator, SecretLintSourceCode } from "@secretlint/types";

/** An API key as userdata/controller makes them. */
const API_KEY = /\bng_[0-9A-Za-z_-]{43}(?![0-9A-Za-z_-])/g;

export const nanogridKeyRule: SecretLintRuleCreator = {
  messages: { API_KEY: { en: () => "found an API key of NanoGrid" } },
  meta: { id: "nanogrid-api-key", recommended: true, type: "scanner", supportedContentTypes: ["text"] },
  create(context) {
    const t = context.createTranslator(nanogridKeyRule.messages);
    return {
      file({ content }: SecretLintSourceCode) {
        for (const match of content.matchAll(API_KEY)) {
          context.report({ message: t("API_KEY"), range: [match.index, match.index + match[0].length] });
        }
      },
    };
  },
};
