"""The DSN (déclaration sociale nominative, NEODeS): what payroll sends every month, and what that says of rights."""
