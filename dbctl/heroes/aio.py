"""The functions of the sample domain for an async session: `await aio.add_hero(session, …)`."""

from dbctl.heroes import people, teams, transfers
from dbctl.sessions import in_async

add_hero = in_async(people.add_hero)
add_team = in_async(teams.add_team)
hero_by_id = in_async(people.hero_by_id)
heroes_by_team = in_async(people.heroes_by_team)
list_heroes = in_async(people.list_heroes)
list_teams = in_async(teams.list_teams)
list_transfers = in_async(transfers.list_transfers)
remove_hero = in_async(people.remove_hero)
remove_team = in_async(teams.remove_team)
show_hero = in_async(people.show_hero)
transfer = in_async(transfers.transfer)
update_hero = in_async(people.update_hero)
