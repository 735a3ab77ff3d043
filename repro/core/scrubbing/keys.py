"""Keys and tokens by their issuers, with an example of each and a look-alike that must stay.

The prefixes and lengths are what their issuers document. detect-secrets 1.5.0, which collects them too, was tried:
it has no Google key and no test key of Stripe, takes ``urllib3 1.26.18.1`` for an address, and some of its patterns
grow with the square of a line.
"""

from __future__ import annotations

from repro.core.scrubbing.markers import Marker
from repro.core.scrubbing.shape import Shape, key, sub

KEYS: tuple[Shape, ...] = (
    Shape(
        name="AWS access key",
        replace=sub(
            r"(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA|AROA|AIDA|AGPA|ANPA|ANVA|AIPA)(?:[A-Z0-9]{12,}|(?:"
            r"(?:\\?\n)?[A-Z0-9]){16})|(?<![A-Za-z0-9])(?:QUtJQ|QVNJQ)[A-Za-z0-9+/]{16,}={0,2}",
            Marker.ACCESS_KEY,
        ),
        hints=("a3t", "abia", "acca", "akia", "asia", "aroa", "aida", "agpa", "anpa", "anva", "aipa", "qutjq", "qvnjq"),
        example="AKIAIOSFODNN7EXAMPLE",
        secret="IOSFODNN7",
        stays="ASIA is a continent",
    ),
    Shape(
        name="AWS session token",
        hints=("fwog", "iqoj", "ahoj", "ihoj"),
        replace=key(r"(?:FwoG|IQoJ|AHoJ|IHoJ)[\w+/=%-]{8,}"),
        example="token FwoGZXIvYXdzEBYaDHqa0AP and",
        secret="DHqa0AP",
        stays="FwoG",
    ),
    Shape(
        name="GitHub token",
        hints=("gh", "github_pat_"),
        replace=key(r"(?:gh[a-z]_[A-Za-z0-9]{20,}|github_pat_\w{20,})"),
        example="ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        secret="abcdefghij",
        stays="ghp_tests github_pattern",
    ),
    Shape(
        name="GitLab token",
        hints=("gl", "gr1348941"),
        replace=key(
            r"(?:gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-[\w.-]{16,}|gloas-[\w-]{16,}"
            r"|GR1348941[\w-]{16,})"
        ),
        example="glpat-abcdefghij0123456789",
        secret="abcdefghij",
        stays="glpat-none",
    ),
    Shape(
        name="Slack token or webhook",
        hints=("xox", "xapp-", "hooks.slack.com", "/services/t"),
        replace=sub(
            r"(?<![A-Za-z0-9])(?:xox[a-z]-[\w-]{8,}|xapp-[\w-]{8,})|(?<=/)services/T\w{6,}/B\w{6,}/\w{10,}",
            Marker.SECRET,
        ),
        example="xoxb-123456789012-abcdefABCDEF",
        secret="abcdefABCDEF",
        stays="xox-like",
    ),
    Shape(
        name="Stripe key",
        hints=("k_live_", "k_test_", "whsec_"),
        replace=key(r"(?:(?:sk|rk|pk)_(?:live|test)_[0-9a-zA-Z]{10,}|whsec_[0-9a-zA-Z+/=]{16,})"),
        example="sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
        secret="4eC39HqLyj",
        stays="task_test_clean",
    ),
    Shape(
        name="Google key or token",
        hints=("aiza", "ya29.", "gocspx-"),
        replace=sub(r"AIza[0-9A-Za-z_-]{30,}|(?<![A-Za-z0-9])(?:ya29\.[\w-]{10,}|GOCSPX-[\w-]{16,})", Marker.SECRET),
        example="AIza" + "SyDdI0hCZtE6vySjMm-WEfRq3CPzqKqqsHI",
        secret="DdI0hCZtE6",
        stays="AIza-Polo",
    ),
    Shape(
        name="Twilio key",
        hints=("sk", "ac"),
        replace=key(r"(?:SK|AC)[0-9a-f]{32}(?![0-9A-Za-z])"),
        example="SK" + "0123456789abcdef0123456789abcdef",
        secret="0123456789abcdef",
        stays="0123456789abcdef0123456789abcdef",
    ),
    Shape(
        name="SendGrid key",
        hints=("sg.",),
        replace=key(r"SG\.[\w-]{16,}\.[\w-]{16,}"),
        example="SG." + "ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf-09kqeF8tAmbihYzrnopKc-1s5cr",
        secret="TwL2iGABf9",
        stays="SG.send.mail",
    ),
    Shape(
        name="npm token",
        hints=("npm_", "_authtoken"),
        replace=sub(r"(?<![A-Za-z0-9])npm_[A-Za-z0-9]{20,}|(?<=_authToken=)[^\s<]+", Marker.SECRET),
        example="npm_abcdefghijklmnopqrstuvwxyz0123456789",
        secret="abcdefghij",
        stays="npm_config_registry",
    ),
    Shape(
        name="PyPI token",
        hints=("pypi-",),
        replace=key(r"pypi-Ag[A-Za-z0-9_-]{20,}"),
        example="pypi-AgEIcHlwaS5vcmcCJDY2ZTk0OGI2LTU4",
        secret="cHlwaS5vcmc",
        stays="pypi-simple-1.6.0",
    ),
    Shape(
        name="Azure storage key",
        hints=("accountkey", "sharedaccess", "sig="),
        replace=sub(
            r"(?i)((?:AccountKey|SharedAccessKey|SharedAccessSignature|[?&]sig)=)[^\s;&'\"<]+", rf"\1{Marker.SECRET}"
        ),
        example="AccountName=a;AccountKey=" + "bbbbcccc" * 10 + "==;EndpointSuffix=x",
        secret="bbbbcccc",
        stays="AccountKey of nobody",
    ),
    Shape(
        name="Discord token",
        replace=key(r"(?:mfa\.[\w-]{40,}|[MNO][A-Za-z\d_-]{23,27}\.[A-Za-z\d_-]{6}\.[A-Za-z\d_-]{27,38})(?![\w-])"),
        hints=(".",),
        example="MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs",
        secret="ZnCjm1XVW7",
        stays="NoCredentialsErrorOfBotocore.Client.receive_message",
    ),
    Shape(
        name="Telegram token",
        hints=(":a",),
        replace=sub(r"(?<![A-Za-z0-9])(?:bot)?\d{8,10}:A[0-9A-Za-z_-]{33,35}(?![\w-])", Marker.SECRET),
        example="110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawQ",
        secret="AAHdqTcvCH",
        stays="12345678:AA",
    ),
    Shape(
        name="Mailchimp key",
        hints=("-us",),
        replace=key(r"[0-9a-f]{32}-us[0-9]{1,2}(?![0-9A-Za-z])"),
        example="e2c8a5d1f0b94736e2c8a5d1f0b94736-us12",
        secret="e2c8a5d1f0b94736",
        stays="0123456789abcdef0123456789abcdef",
    ),
    Shape(
        name="key of OpenAI's form",
        hints=("sk-",),
        replace=key(r"sk-(?:[a-z]{2,12}-)?[A-Za-z0-9_-]{20,}"),
        example="sk-proj-abcdefghij0123456789T3BlbkFJ",
        secret="abcdefghij",
        stays="task-sk-locust",
    ),
    Shape(
        name="JSON web token",
        hints=("eyj",),
        replace=key(r"eyJ[\w-]{8,}(?:\.[\w-]*){0,4}"),
        example="eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        secret="eyJzdWIi",
        stays="eyJ",
    ),
    Shape(
        name="other issuers' keys",
        hints=(
            "shpat_",
            "sq0csp-",
            "sq0atp-",
            "dop_v1_",
            "hf_",
            "hvs.",
            "dckr_pat_",
            "akcp",
            "nrak-",
            "lin_api_",
            "age-secret-key-",
        ),
        replace=key(
            r"(?:(?:shp(?:at|ca|pa|ss)|dckr_pat|hf|lin_api|dop_v1)_[\w-]{16,}|sq0(?:csp|atp)-[\w-]{16,}"
            r"|hvs\.[\w-]{16,}|AKCp[A-Za-z0-9]{10,}|NRAK-[A-Z0-9]{16,}|AGE-SECRET-KEY-[A-Z0-9]{16,})"
        ),
        example="dckr_pat_abcdefghij0123456789",
        secret="abcdefghij",
        stays="hf_hub dop_v1_x",
    ),
)
