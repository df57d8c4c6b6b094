"""Get the dataset: Kaggle download, S3 landing, line-exact CSV validation."""
