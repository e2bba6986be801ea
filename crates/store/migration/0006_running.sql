-- What runs on a machine is asked before each backup: the jobs that it ever had are many.
CREATE INDEX job_running_vm ON job (vm, created, id) WHERE ended = 0 AND vm IS NOT NULL;
