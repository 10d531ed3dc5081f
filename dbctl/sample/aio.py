"""The functions of the sample domain for an async session: `await aio.add_hero(session, …)`."""

from dbctl.sample import heroes, teams, transfers
from dbctl.work.sessions import in_async

add_hero = in_async(heroes.add_hero)
add_team = in_async(teams.add_team)
hero_by_id = in_async(heroes.hero_by_id)
heroes_by_team = in_async(heroes.heroes_by_team)
list_heroes = in_async(heroes.list_heroes)
list_teams = in_async(teams.list_teams)
list_transfers = in_async(transfers.list_transfers)
remove_hero = in_async(heroes.remove_hero)
remove_team = in_async(teams.remove_team)
show_hero = in_async(heroes.show_hero)
transfer = in_async(transfers.transfer)
update_hero = in_async(heroes.update_hero)
