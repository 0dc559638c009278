import { checkPythonProject } from "../support/python-checks";

checkPythonProject("standins");
