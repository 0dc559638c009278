/** Imported for its effect: the AWS SDK's note about future versions of Node.js belongs to whoever upgrades it, not to each run. */
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
