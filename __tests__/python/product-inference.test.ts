import { checkPythonProject } from "../support/python-checks";

checkPythonProject("product-inference");
