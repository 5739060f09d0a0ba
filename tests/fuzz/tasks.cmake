minke_fuzz(tasks minke_tasks)
