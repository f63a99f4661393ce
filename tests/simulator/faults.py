"""Every quirk and fault of a simulated server: switches, at start and while it runs."""

from dataclasses import dataclass


@dataclass(slots=True)
class Faults:
    """What a server does that is not as one would wish. Each has its meaning beside it."""

    # Refusals
    unauthorized: bool = False
    """401 for every token, everywhere but at /identity."""
    forbidden: bool = False
    """403 for every token, everywhere but at /identity."""
    unknown_host_name: bool = False
    """401 for every name in the Host header but IP addresses and localhost, claimed or not."""
    maintenance: bool = False
    """503 Maintenance everywhere."""
    maintenance_but_identity: bool = False
    """503 Maintenance everywhere but for /identity."""
    retry_after: int | None = None
    """The Retry-After of a 503, in seconds."""
    still_starting_up: bool = False
    """400 with the text "still starting up" for everything that is not a GET."""
    own_error: bool = False
    """500 everywhere but at /identity: the database is malformed (reported)."""
    no_activities: bool = False
    """404 for /activities: a very old server."""
    no_butler: bool = False
    """404 for /butler: an older one still."""
    no_sessions: bool = False
    """404 for /status/sessions."""
    sessions_refused: bool = False
    """403 for /status/sessions."""
    other_machine_identifier: bool = False
    """Another server answers at this address."""

    # Something else answers
    bad_gateway: bool = False
    """A proxy's 502 in HTML."""
    login_page: bool = False
    """A router's login page with status 200."""
    other_json: bool = False
    """JSON of another service with status 200."""
    root_redirect: bool = False
    """A proxy leads from / to the web app."""
    redirect_to: str | None = None
    """A 302 to this address for everything."""
    proxy_status: int = 0
    """A proxy answers everything with this status: 404 as Traefik does while a container is
    replaced, 429, 500, 520 to 530."""
    proxy_status_but_identity: int = 0
    """The same, but `/identity` reaches the server."""
    proxy_wants_password: bool = False
    """A proxy's 401 with WWW-Authenticate for everything."""
    https_port: bool = False
    """nginx's 400 for plain http on a port for https."""

    # The connection
    hang: bool = False
    """Connections are accepted and nothing is answered."""
    slow: float = 0
    """Real seconds before each answer."""
    empty_reply: bool = False
    """Connections are closed without a byte."""
    drop_reply: bool = False
    """Commands are carried out and the connection is closed without an answer."""
    late_answers: str = ""
    """Requests of this method or path are carried out, and answered once this is cleared."""
    late_websocket: bool = False
    """The upgrade to a websocket is answered once this is cleared."""
    drop_reused: bool = False
    """The second request on a connection finds it closed."""
    close_behind_answers: bool = False
    """Each connection is closed behind its first answer, without a word of that (HTTP allows it)."""
    cut_body: bool = False
    """The connection is closed in the middle of a body."""
    endless_body: bool = False
    """A body that does not end."""
    no_websocket: bool = False
    """404 for the websocket; the event source still works."""
    silent_websocket: bool = False
    """A proxy accepts the websocket and lets nothing through."""

    # The content
    control_characters: bool = False
    """Titles, names and descriptions begin with characters that neither JSON nor XML allows."""
    always_xml: bool = False
    """Accept is ignored."""
    strings: bool = False
    """Numbers and booleans in JSON are strings."""
    missing_enabled: bool = False
    """Tasks come without `enabled`."""
    media_container_root: bool = False
    """The root of /butler is MediaContainer."""
    bare_list: bool = False
    """The JSON of /butler is a list without a root."""
    single_object: bool = False
    """Only the first task is listed, and in JSON every list of one row is an object."""
    malformed_rows: bool = False
    """Broken rows stand between the good ones."""
    unusable_names: bool = False
    """Tasks named empty, "." and ".." are listed."""
    unknown_task: bool = False
    """A task that nobody has heard of is listed, and can be started."""
    numeric_uuids: bool = False
    """Activities have numbers for uuids."""
    no_context: bool = False
    """Activities never have a Context."""
    html_after_command: bool = False
    """POST and DELETE answer with HTML where others have an empty body."""

    # Players
    stops_under_another_key: bool = False
    """The end of a session is told under another key than the session had (reported)."""

    late_sessions: int = 0
    """After a report that begins or ends a session, or pauses it, so many answers to
    /status/sessions are the list from before it (inferred)."""

    # Preferences
    refuse_unknown_preference: bool = False
    """PUT /:/prefs answers 400 for a name that it does not know (OpenAPI); measured is 200."""
    prefs_status: int = 0
    """/:/prefs answers with this status: 403 to one who is no admin, 404 where there is none."""
    prefs_unreadable: int = 0
    """After each change so many reads of /:/prefs answer 400 (reported: 0 to 3)."""
    prefs_ignored: bool = False
    """PUT /:/prefs answers 200 and changes nothing."""
    no_prefs_get: bool = False
    """404 for /:/prefs/get, which only OpenAPI tells of."""
    old_hour_labels: bool = False
    """Hours are called Midnight and 1 am."""
    no_enum_labels: bool = False
    """Values are listed without labels."""
    never_is_ignored: bool = False
    """A task whose behavior is "never" runs if it is started by its name."""

    # The log
    log_refused: int = 0
    """The stream of the log is answered with this status: 403 to one who is no admin."""
    log_for_everybody: bool = False
    """Shared users may read the log, too (not known); otherwise they get a 403."""
    no_log: bool = False
    """An old server: it knows no filter, and never sends its log."""
    log_other_verbs: bool = False
    """Butler says of each task more than is known of, and in other words."""
    log_activities: bool = False
    """Butler names a task only by its activity, when that begins, and ends it by its uuid (reported
    for 2025)."""
    log_exceptions: bool = False
    """Each task throws an exception, and goes on."""
    log_foreign_exceptions: bool = False
    """The database is damaged: while a task runs, a user's request fails, and so does what the
    server does at its start (reported for 2025)."""
    backup_code: int = 0
    """The code with which a backup ends; 0 is a good one."""

    # The webhooks
    webhooks_off: bool = False
    """They are switched off in the server's settings."""
    no_plex_pass: bool = False
    """The account of its owner has no Plex Pass."""
    untyped_webhook: bool = False
    """The part with the JSON has no content type of its own."""
    backup_fails: bool = False
    """The database fails its integrity check: there is no backup, and nothing is sent."""
    by_name_is_silent: bool = False
    """Only a scheduled backup sends an event; not known of a real server."""

    # Butler's row among the activities
    no_row: bool = False
    """There is none."""
    row_always_100: bool = False
    """It stands at 100 whatever happens."""
    row_indeterminate: bool = False
    """It shows -1 while Butler works."""
    row_per_run: bool = False
    """It is there only while Butler works, with another uuid each time."""
    row_counts_tasks: bool = False
    """It shows what share of all tasks since the start of the server has ended: between two tasks it
    stands at 100 for a moment (reported for 2025; that it goes on after a night is inferred)."""
