"""Django's settings, all of them from the environment (`gridtrader/env.py`) and the data folder."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import unquote, urlsplit

import dj_database_url

from gridtrader import bybit, env, folder, services
from integrations.notify import addresses

BASE_DIR = Path(__file__).resolve().parent.parent
_env = env.load(BASE_DIR)

# --- the data folder, the exchange ---------------------------------------------------------------
DATA_DIR = folder.prepare(Path(_env.text("GRIDTRADER_DATA_DIR", str(BASE_DIR / "var"))).resolve())
BYBIT = bybit.read(_env, DATA_DIR)
MODE = BYBIT.mode
PAPER_TAPE = _env.text("PAPER_TAPE", str(BASE_DIR / "market" / "tapes"))
PAPER_SPEED = _env.decimal("PAPER_SPEED", Decimal(60), low=Decimal(0))
if PAPER_TAPE == "bybit":
    PAPER_SPEED = Decimal(1)  # live prices have a speed of their own
if PAPER_TAPE.startswith("synthetic:") and not PAPER_TAPE.split(":")[1].isdigit():
    raise env.EnvError(
        f"PAPER_TAPE is {PAPER_TAPE!r}; accepted: synthetic:SEED or synthetic:SEED:KIND,"
        " SEED a number"
    )

# --- where it listens ----------------------------------------------------------------------------
HOST = _env.text("GRIDTRADER_HOST", "127.0.0.1")
PORT = _env.integer("GRIDTRADER_PORT", 8000, low=1, high=65535)
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - told apart, not bound
_ON_LOOPBACK = HOST in (*_LOOPBACK, "::1")
ALLOWED_HOSTS = _env.items(
    "ALLOWED_HOSTS", (*_LOOPBACK, *([] if HOST in (*_LOOPBACK, *_EVERYWHERE) else [HOST]))
)
CSRF_TRUSTED_ORIGINS = _env.items("CSRF_TRUSTED_ORIGINS")
for _origin in CSRF_TRUSTED_ORIGINS:
    if not _origin.startswith(("http://", "https://")):
        raise env.EnvError(
            f"CSRF_TRUSTED_ORIGINS holds {_origin!r}; accepted: http://HOST or https://HOST"
        )
# Only programs of this machine reach it, and they call it by a loopback name: no proxy, no TLS.
_THIS_MACHINE_ALONE = _ON_LOOPBACK and set(ALLOWED_HOSTS) <= {*_LOOPBACK, "::1"}
# TLS ends at a proxy in front of us.
BEHIND_HTTPS = _env.flag("BEHIND_HTTPS", default=MODE != "paper" and not _THIS_MACHINE_ALONE)

# --- secrets of outside services -----------------------------------------------------------------
TRADINGVIEW_WEBHOOK_SECRETS = _env.secrets("TRADINGVIEW_WEBHOOK_SECRET", least=32)
NOTION_TOKEN = _env.secret("NOTION_TOKEN")
NOTION_TRADES_DATABASE = _env.text("NOTION_TRADES_DATABASE")
NOTION_PORTFOLIO_DATABASE = _env.text("NOTION_PORTFOLIO_DATABASE")
NOTION_BASE_URL = _env.url("NOTION_BASE_URL", ("http", "https"), "https://api.notion.com")
COINGECKO_BASE_URL = ""  # nobody is asked
if _env.text("COINGECKO_BASE_URL").lower() != "off":
    COINGECKO_BASE_URL = _env.url(
        "COINGECKO_BASE_URL", ("http", "https"), "https://api.coingecko.com/api/v3"
    )
COINGECKO_API_KEY = _env.secret("COINGECKO_API_KEY")
NOTIFY_URLS = _env.secrets("NOTIFY_URLS", least=8)
try:
    addresses.parse(secret.reveal() for secret in NOTIFY_URLS)
except addresses.BadAddress as _error:
    raise env.EnvError(f"NOTIFY_URLS: {_error}") from None

# --- Django --------------------------------------------------------------------------------------
DEBUG = _env.flag("DEBUG", default=False)
_key = _env.secret("SECRET_KEY")
if MODE == "paper":
    _key = _key or folder.kept_secret(DATA_DIR / "secret_key")
elif len(_key.reveal()) < 50:  # noqa: PLR2004 - as `check --deploy` asks
    raise env.EnvError(
        f"SECRET_KEY is {'too short' if _key else 'not set'}; mode {MODE} needs one of at least "
        "50 random characters (or SECRET_KEY_FILE)"
    )
SECRET_KEY = _key.reveal()

INSTALLED_APPS = [
    "daphne",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "channels",
    "market",
    "integrations",
    "risk",
    "bots",
    "gridtrader",
]
MIDDLEWARE = [
    "gridtrader.requests.request_id",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "gridtrader.csp.content_security_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "gridtrader.logins.paced",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "gridtrader.origin.origin",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "gridtrader.urls"
ASGI_APPLICATION = "gridtrader.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TIME_ZONE = "UTC"
USE_TZ = True
LANGUAGE_CODE = "en"
USE_I18N = False
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"
PASSWORD_RESET_TIMEOUT = 3600
# The first makes new hashes; older ones are read, and made anew when their owner logs in.
PASSWORD_HASHERS = [
    f"django.contrib.auth.hashers.{name}PasswordHasher" for name in ("Argon2", "PBKDF2")
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in (
        ("UserAttributeSimilarityValidator", {}),
        ("MinimumLengthValidator", {"min_length": 12}),
        ("CommonPasswordValidator", {}),
        ("NumericPasswordValidator", {}),
    )
]

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True  # served from where they lie: no collecting step before the start

# --- PostgreSQL, Redis ---------------------------------------------------------------------------
_database_url = _env.url("DATABASE_URL", ("postgres", "postgresql", "timescale"))
DATABASE_IS_EMBEDDED = not _database_url
REDIS_URL = _env.url("REDIS_URL", ("redis", "rediss"))
REDIS_IS_EMBEDDED = not REDIS_URL
if DATABASE_IS_EMBEDDED or REDIS_IS_EMBEDDED:
    _postgres, _redis = services.of_folder(DATA_DIR)
    _database_url = _database_url or _postgres.url
    REDIS_URL = REDIS_URL or _redis.url
DATABASES = {
    "default": dj_database_url.parse(
        _database_url, engine="gridtrader.postgresql", conn_max_age=0, conn_health_checks=True
    )
}
DATABASES["default"].setdefault("OPTIONS", {}).update(
    connect_timeout=5,
    application_name="gridtrader",
    options=(
        "-c statement_timeout=30s -c lock_timeout=5s -c idle_in_transaction_session_timeout=30s"
    ),
)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "gridtrader",
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "gridtrader"},
    }
}

# --- Celery --------------------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "global_keyprefix": "gridtrader.",
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    # A task that died with its worker is given out again after this time, which is longer than any
    # task may run; every task is idempotent.
    "visibility_timeout": 150,
}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 3, "interval_step": 0.2, "interval_max": 0.5}
CELERY_TASK_DEFAULT_QUEUE = "gridtrader"
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = CELERY_EVENT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = CELERY_RESULT_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False  # who reaches Redis shall not command the worker
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# Celery closes Django's connection after each task, whatever CONN_MAX_AGE says, unless told so.
CELERY_DB_REUSE_MAX = 10_000
TASK_TIME_LIMIT_S = 120  # ours (gridtrader/nudge.py): Celery's own does not hold for threads
CELERY_TIMEZONE = "UTC"
CELERY_IMPORTS = ("bots.outside.tasks",)
# A minute of the exchange's clock, at a tape's speed; a beat is never quicker than 5 s.
_market_minute = float(max(Decimal(5), 60 / max(Decimal(1), PAPER_SPEED)))
if BYBIT.own_simulator_port is None:
    _market_minute = 60.0
CELERY_BEAT_SCHEDULE = {
    name: {"task": task, "schedule": seconds, "options": {"expires": seconds}}
    for name, task, seconds in (
        ("tick every bot", "bots.tasks.tick_all", 2.0),
        ("compare with the exchange", "bots.tasks.sweep", 30.0),
        ("apply alerts", "bots.outside.tasks.apply_alerts", 5.0),
        ("write the journals", "bots.outside.tasks.write_journals", 10.0),
        ("send notifications", "bots.outside.tasks.send_notifications", 5.0),
        ("forget old alerts and answers", "bots.outside.tasks.forget_old", 3_600.0),
        ("refresh instruments", "bots.tasks.refresh_instruments", 900.0),
        ("look for gaps in the candles", "integrations.tasks.repair_gaps", 600.0),
        ("look at the whole market", "integrations.tasks.refresh_overview", 60.0),
        ("roll up hours and days", "market.tasks.roll_up", 300.0),
        ("add up days", "bots.tasks.keep_days", 60.0),
        ("forget what is old", "market.tasks.forget", 3_600.0),
        ("keep the account's worth", "bots.tasks.record_equity", _market_minute),
        ("keep what holds bots back", "bots.tasks.record_spells", 5.0),
        ("measure profit capture", "bots.tasks.measure_capture", 60.0),
        ("share capital", "bots.tasks.share_capital", 360 * _market_minute),
        ("keep latencies", "bots.tasks.record_latency", 60.0),
        ("keep the standing of the targets", "bots.tasks.keep_standing", 30.0),
    )
}

# --- the API -------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "bots.api.authentication.TokenAuthentication",  # first: it turns "no login" into 401
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["bots.api.permissions.Nobody"],  # each view names its own
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "bots.api.errors.handle",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["bots.api.parsers.StrictJSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["bots.api.throttling.CallThrottle"],
    "DEFAULT_SCHEMA_CLASS": "bots.api.schema.Described",
    "URL_FORMAT_OVERRIDE": None,
}
API_READS_A_MINUTE = _env.integer("API_READS_A_MINUTE", 3_000, low=1, high=10**9)
API_COMMANDS_A_MINUTE = _env.integer("API_COMMANDS_A_MINUTE", 600, low=1, high=10**9)
SPECTACULAR_SETTINGS = {
    "TITLE": "GridTrader",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/",
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": [],  # a choice stands where it is made
}

# --- security ------------------------------------------------------------------------------------
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_AGE = 8 * 3600
CSRF_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_HTTPS
SECURE_SSL_REDIRECT = BEHIND_HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = BEHIND_HTTPS
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# What `check --deploy` says of HSTS, redirect and cookies holds everywhere but where no TLS can be.
if _THIS_MACHINE_ALONE and not BEHIND_HTTPS:
    SILENCED_SYSTEM_CHECKS = [f"security.W{number}" for number in ("004", "008", "012", "016")]
# Also the longest body of a request whatever (integrations/bodies.py).
DATA_UPLOAD_MAX_MEMORY_SIZE = 65_536
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200  # the admin's list of a hundred rows posts two fields each

# Five wrong passwords close a name to the address they came from, for a quarter of an hour. Others
# still get in, so nobody can lock an operator out; tokens and `manage.py kill` are not concerned.
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_LOCKOUT_CALLABLE = "gridtrader.logins.locked_out"
AXES_IPWARE_PROXY_COUNT = 0  # daphne has put the caller's address in its place already
AXES_ENABLE_ADMIN = False  # names are all it would show; `manage.py axes_reset` opens one early
AXES_VERBOSE = False  # its lines hold names, and people type passwords as names

# --- logs ----------------------------------------------------------------------------------------
_secrets = [
    _key,
    BYBIT.key,
    BYBIT.secret,
    NOTION_TOKEN,
    COINGECKO_API_KEY,
    env.Secret(DATABASES["default"].get("PASSWORD") or ""),
    env.Secret(unquote(urlsplit(REDIS_URL).password or "")),
    *TRADINGVIEW_WEBHOOK_SECRETS,
    *NOTIFY_URLS,
    *(env.Secret(part) for url in NOTIFY_URLS for part in addresses.pieces(url.reveal())),
]
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "gridtrader.logs.OneLine",
            "fmt": "%(asctime)s %(levelname)s %(name)s: %(message)s",
            "secrets": _secrets,
        },
        "json": {"()": "gridtrader.logs.OneObject", "secrets": _secrets},
    },
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "formatter": _env.choice("LOG_FORMAT", ("line", "json"), "line"),
        }
    },
    "root": {"handlers": ["stdout"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
        # At DEBUG it prints signed headers; at INFO each reconnect, which our streams report.
        "pybit": {"level": "WARNING"},
        # At DEBUG they print addresses and headers, and a messenger's address holds its token.
        **{name: {"level": "WARNING"} for name in ("urllib3", "httpcore", "httpx")},
        "apprise": {"level": "CRITICAL"},  # its lines may hold parts of addresses
        "axes": {"level": "WARNING"},  # a line for each login, of masked names
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
    },
}
