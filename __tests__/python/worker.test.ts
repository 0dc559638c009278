import { checkPythonProject } from "../support/python-checks";

checkPythonProject("worker");
