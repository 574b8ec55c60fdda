"""What people look at: each dashboard is a module of data, and what is drawn of it goes to `infra/grafana`."""
