/** Physical names of the ML function: its stack makes them, its commands and programs look for them. */

/** The Lambda function, as its specification spells it. */
export const FUNCTION = "ML-XGBoost";
/** Repository of its image. */
export const REPOSITORY = "ml-xgboost";
/** Role of the function itself. */
export const FUNCTION_ROLE = "ml-xgboost-role";
/** Role of those who call the function's URL. */
export const CALLER_ROLE = "ml-function-url-role";
/** SNS topic that every alarm notifies. */
export const ALARM_TOPIC = "ml-function-alarms";
/** Outputs of the stack `ml-function`, whose spelling is part of its specification. */
export const OUTPUTS = { callerRoleArn: "fnUrlRoleArn", url: "EndpointUrl" } as const;
