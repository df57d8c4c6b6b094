output "function_name" {
  description = "Function that asks Airflow for a run."
  value       = module.function.name
}
