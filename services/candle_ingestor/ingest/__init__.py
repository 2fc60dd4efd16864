"""The job: plan, fetch, keep, merge, export, report."""
