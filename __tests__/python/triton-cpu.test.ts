import { checkPythonProject } from "../support/python-checks";

checkPythonProject("triton-cpu");
