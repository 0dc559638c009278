import { checkPythonProject } from "../support/python-checks";

checkPythonProject("ml-xgboost");
