import { checkPythonProject } from "../support/python-checks";

checkPythonProject("denoise-training");
