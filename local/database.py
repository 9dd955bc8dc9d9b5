"""What the migrations expect to find: the application's database and its two logins."""

from __future__ import annotations

from local.postgres import PostgresServer

DATABASE = "hcr"
OWNER = "hcr_owner"  # migrates; owns the database and every table
APPLICATION = "hcr_app"  # worker and API; owns nothing and has no right but those of the roles it takes
APPLICATION_ROLES = ("hcr_web", "hcr_system")  # made by the migrations, without login


async def prepare(server: PostgresServer, database: str = DATABASE) -> None:
    """Create the two logins and the database where they are missing.

    `server.passwords` must hold the passwords of hcr_owner and hcr_app.
    """
    await server.create_role(OWNER, "nosuperuser nocreatedb createrole nobypassrls")
    await server.create_role(APPLICATION, "nosuperuser noinherit nocreatedb nocreaterole nobypassrls")
    await server.create_database(database, owner=OWNER)


async def grant_roles(server: PostgresServer) -> None:
    """After the migrations: let hcr_app take the application's roles. Repeating it changes nothing."""
    connection = await server.connect()
    try:
        await connection.execute(f"grant {', '.join(APPLICATION_ROLES)} to {APPLICATION}")
    finally:
        await connection.close()
