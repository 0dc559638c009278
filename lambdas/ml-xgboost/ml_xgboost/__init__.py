"""The function ML-XGBoost: answers with the class that a model of XGBoost gives to each row."""
