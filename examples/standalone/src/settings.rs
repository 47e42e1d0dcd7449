//! The settings of the node: file, then environment, then flags.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use gateway_plugins::Isolation;
use http::HeaderName;
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::Error};
use toml::Table;

use crate::{
    address::{Address, ListenAddress},
    cli::{LogFormat, RouterFlavor, RunArgs},
    failure::Failure,
    kong_conf,
    units::{Size, Time},
};

/// All settings, each as far as somebody gave it. `docs/settings.md` says what they mean.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) config: Option<PathBuf>,
    pub(crate) store: Option<String>,
    pub(crate) store_copy: Option<PathBuf>,
    pub(crate) store_ca: Option<PathBuf>,
    pub(crate) listen: Option<Vec<ListenAddress>>,
    pub(crate) listen_tls: Option<Vec<ListenAddress>>,
    pub(crate) tls_cert: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) admin: Option<Address>,
    pub(crate) admin_token: Option<Token>,
    /// More of them, by the name that stands in the history.
    pub(crate) admin_tokens: BTreeMap<String, Token>,
    pub(crate) admin_hosts: Option<Vec<String>>,
    /// Whose pages may read and change.
    pub(crate) admin_origins: Option<Vec<Origin>>,
    pub(crate) admin_tls_cert: Option<PathBuf>,
    pub(crate) admin_tls_key: Option<PathBuf>,
    /// Anchors of those who may ask, PEM.
    pub(crate) admin_client_ca: Option<PathBuf>,
    #[serde(deserialize_with = "count::<_, _, 1, 1_024>")]
    pub(crate) workers: Option<u16>,
    pub(crate) router_flavor: Option<RouterFlavor>,
    pub(crate) path_templates: Option<bool>,
    pub(crate) allow_debug_header: Option<bool>,
    pub(crate) compat: Option<Compat>,
    pub(crate) branding: Option<Branding>,
    pub(crate) trusted_ips: Option<Vec<Network>>,
    pub(crate) real_ip_header: Option<RealIpHeader>,
    pub(crate) real_ip_recursive: Option<bool>,
    pub(crate) strict_paths: Option<bool>,
    pub(crate) strict_headers: Option<bool>,
    pub(crate) tls_verify: Option<bool>,
    pub(crate) reason_header: Option<bool>,
    pub(crate) zone: Option<String>,
    pub(crate) access_log: Option<String>,
    pub(crate) log: Option<String>,
    pub(crate) log_format: Option<LogFormat>,
    pub(crate) limits: Limits,
    pub(crate) timeouts: Timeouts,
    pub(crate) plugins: Plugins,
    /// The keys of Kong's settings that were read, and those that were not.
    #[serde(skip)]
    pub(crate) kong: [Vec<String>; 2],
}

/// Plugins in WebAssembly that do not come with the gateway.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Plugins {
    pub(crate) search_path: Vec<PathBuf>,
    /// What each may do beside reading and writing messages, by its name.
    pub(crate) allow: BTreeMap<String, Vec<String>>,
    /// Who shares an instance of each, by its name; where nothing is said, all requests of a worker.
    pub(crate) isolation: BTreeMap<String, Isolation>,
    /// The folder that compiled code is kept in; an empty one: nowhere.
    pub(crate) cache: Option<PathBuf>,
    /// The folder that modules from elsewhere are kept in; an empty one: nowhere.
    pub(crate) fetched: Option<PathBuf>,
    /// Anchors of those whom modules are fetched from, PEM; the system's where there are none.
    pub(crate) ca: Option<PathBuf>,
    /// What is shown to registries and other servers, by their hosts.
    pub(crate) credentials: BTreeMap<String, Login>,
}

/// What somebody is known by.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    pub(crate) username: String,
    /// A reference: `{vault://env/NAME}` or `{file:///path}`.
    pub(crate) password: Reference,
}

/// Where a secret is. It never stands in the settings itself.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Reference(String);

impl Reference {
    /// Without its braces.
    pub(crate) fn bare(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Reference {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bare = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        let known = |bare: &&str| bare.starts_with("vault://env/") || bare.starts_with("file:///");
        let bare = bare.filter(known).map(str::to_owned);
        // What is written there may be the secret itself: it is not told.
        bare.map(Self).ok_or_else(|| "a reference is {vault://env/NAME} or {file:///path}".to_owned())
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    #[serde(deserialize_with = "size::<_, 8_192, 1_048_576>")]
    pub(crate) head: Option<Size>,
    #[serde(deserialize_with = "count::<_, _, 8, 4_096>")]
    pub(crate) fields: Option<u16>,
    #[serde(deserialize_with = "size::<_, 1_024, 65_536>")]
    pub(crate) target: Option<Size>,
    #[serde(deserialize_with = "count::<_, _, 1, 10_000_000>")]
    pub(crate) connections: Option<u32>,
    #[serde(deserialize_with = "count::<_, _, 1, 10_000>")]
    pub(crate) streams: Option<u32>,
    #[serde(deserialize_with = "count::<_, _, 1, 1_000_000>")]
    pub(crate) pool: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Timeouts {
    #[serde(deserialize_with = "time::<_, 100, 86_400_000>")]
    pub(crate) accept: Option<Time>,
    #[serde(deserialize_with = "time::<_, 100, 86_400_000>")]
    pub(crate) proxy_head: Option<Time>,
    #[serde(deserialize_with = "time::<_, 100, 86_400_000>")]
    pub(crate) handshake: Option<Time>,
    #[serde(deserialize_with = "time::<_, 100, 86_400_000>")]
    pub(crate) head: Option<Time>,
    #[serde(deserialize_with = "time::<_, 100, 86_400_000>")]
    pub(crate) keep_alive: Option<Time>,
    #[serde(deserialize_with = "time::<_, 100, 86_400_000>")]
    pub(crate) body: Option<Time>,
    #[serde(deserialize_with = "count::<_, _, 0, 1_000_000>")]
    pub(crate) body_rate: Option<u32>,
    #[serde(deserialize_with = "time::<_, 100, 86_400_000>")]
    pub(crate) write: Option<Time>,
    #[serde(deserialize_with = "time::<_, 0, 86_400_000>")]
    pub(crate) ready: Option<Time>,
    #[serde(deserialize_with = "time::<_, 0, 86_400_000>")]
    pub(crate) drain: Option<Time>,
}

/// A number from `MIN` to `MAX`.
fn count<'de, D, T, const MIN: u32, const MAX: u32>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    let number = i64::deserialize(deserializer)?;
    let fits = (i64::from(MIN)..=i64::from(MAX)).contains(&number);
    let number = T::try_from(number).ok().filter(|_| fits);
    number.map(Some).ok_or_else(|| D::Error::custom(format!("not within {MIN} to {MAX}")))
}

/// A size from `MIN` to `MAX` bytes.
fn size<'de, D, const MIN: usize, const MAX: usize>(deserializer: D) -> Result<Option<Size>, D::Error>
where
    D: Deserializer<'de>,
{
    let size = Size::deserialize(deserializer)?;
    let fits = (MIN..=MAX).contains(&size.0);
    let told = || D::Error::custom(format!("not within {}KiB to {}KiB", MIN >> 10, MAX >> 10));
    fits.then_some(Some(size)).ok_or_else(told)
}

/// A time from `MIN` to `MAX` milliseconds.
fn time<'de, D, const MIN: u64, const MAX: u64>(deserializer: D) -> Result<Option<Time>, D::Error>
where
    D: Deserializer<'de>,
{
    let time = Time::deserialize(deserializer)?;
    let fits = (Duration::from_millis(MIN)..=Duration::from_millis(MAX)).contains(&time.0);
    let least = if MIN == 0 { "0".to_owned() } else { format!("{MIN}ms") };
    fits.then_some(Some(time))
        .ok_or_else(|| D::Error::custom(format!("not within {least} to {}m", MAX / 60_000)))
}

/// What clients of the Admin API bring. It is not shown.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Token(String);

/// Shorter ones can be guessed, characters.
const SHORTEST_TOKEN: usize = 16;

impl Token {
    pub(crate) const fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl TryFrom<String> for Token {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        let fits = plain && text.len() >= SHORTEST_TOKEN;
        fits.then_some(Self(text))
            .ok_or_else(|| format!("a token has {SHORTEST_TOKEN} characters or more, of ASCII"))
    }
}

/// How close to Kong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Compat {
    #[serde(rename = "kong-3.9")]
    Kong39,
    #[serde(rename = "kong-3.9-strict")]
    Kong39Strict,
}

/// Whose name stands in headers and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Branding {
    Kong,
    Neutral,
}

/// An address or a range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Network(pub(crate) IpNet);

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let network = text.parse().or_else(|_| text.parse().map(|address: std::net::IpAddr| address.into()));
        network.map(Self).map_err(|_| format!("'{text}' is no address and no range such as 10.0.0.0/8"))
    }
}

/// Where a trusted peer tells the client's address: the name of a field, or `proxy_protocol` for none.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct RealIpHeader(pub(crate) Option<HeaderName>);

impl TryFrom<String> for RealIpHeader {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "proxy_protocol" {
            return Ok(Self(None));
        }
        let name =
            text.parse().map_err(|_| format!("'{text}' is no name of a field, and not proxy_protocol"));
        name.map(Some).map(Self)
    }
}

/// Where pages come from, as browsers say it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Origin(pub(crate) String);

impl TryFrom<String> for Origin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let place = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        match place.map(str::parse::<http::uri::Authority>) {
            Some(Ok(authority)) if !authority.as_str().contains('@') => Ok(Self(text)),
            _ => Err(format!("'{text}' is no origin such as https://console.internal:8002")),
        }
    }
}

/// Keys that have an environment variable but no flag.
const KEYS: &[&str] = &[
    "admin_token",
    "admin_hosts",
    "admin_origins",
    "admin_tls_cert",
    "admin_tls_key",
    "admin_client_ca",
    "store_copy",
    "store_ca",
    "path_templates",
    "compat",
    "branding",
    "trusted_ips",
    "real_ip_header",
    "real_ip_recursive",
    "strict_paths",
    "strict_headers",
    "tls_verify",
    "reason_header",
    "zone",
    "limits.head",
    "limits.fields",
    "limits.target",
    "limits.connections",
    "limits.streams",
    "limits.pool",
    "timeouts.accept",
    "timeouts.proxy_head",
    "timeouts.handshake",
    "timeouts.head",
    "timeouts.keep_alive",
    "timeouts.body",
    "timeouts.body_rate",
    "timeouts.write",
    "timeouts.ready",
    "timeouts.drain",
];

impl Settings {
    /// Whether there is nothing to serve but ourselves.
    pub(crate) const fn is_demo(&self) -> bool {
        self.config.is_none() && self.store.is_none()
    }

    /// The settings that `args`, the environment and the settings file give.
    pub(crate) fn of(args: &RunArgs) -> Result<Self, Failure> {
        let file = match &args.settings {
            Some(path) => read(path)?,
            None => Table::new(),
        };
        let kong = kong_conf::read(args.kong_conf.as_deref())?;
        let merged = overlay(over(kong.settings, file), |name| std::env::var(name).ok())?;
        let mut settings: Self = merged.try_into()?;
        settings.kong = [kong.read, kong.ignored];
        settings.flags(args.clone());
        Ok(settings)
    }

    /// Flags win; the command line has read their environment variables already.
    fn flags(&mut self, args: RunArgs) {
        fn win<T>(place: &mut Option<T>, flag: Option<T>) {
            *place = flag.or_else(|| place.take());
        }
        let given = |list: Vec<ListenAddress>| Some(list).filter(|list| !list.is_empty());
        win(&mut self.config, args.config);
        win(&mut self.store, args.store);
        win(&mut self.listen, given(args.listen));
        win(&mut self.listen_tls, given(args.listen_tls));
        win(&mut self.tls_cert, args.tls_cert);
        win(&mut self.tls_key, args.tls_key);
        win(&mut self.admin, args.admin);
        win(&mut self.workers, args.workers);
        win(&mut self.router_flavor, args.router_flavor);
        win(&mut self.allow_debug_header, args.allow_debug_header);
        win(&mut self.access_log, args.access_log);
        win(&mut self.log, args.log);
        win(&mut self.log_format, args.log_format);
        if !args.plugins.is_empty() {
            self.plugins.search_path = args.plugins;
        }
    }
}

/// The settings file, checked by itself so that a mistake is told with its line.
fn read(path: &Path) -> Result<Table, Failure> {
    let name = path.display();
    let text =
        fs::read_to_string(path).map_err(|error| Failure::new(format!("cannot read {name}: {error}")))?;
    toml::from_str::<Settings>(&text).map_err(|error| misread(path, &text, &error))?;
    text.parse().map_err(|error: toml::de::Error| misread(path, &text, &error))
}

fn misread(path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    let message = error.message().replace('\n', ", ");
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return Failure::new(format!("{}: {message}", path.display()));
    };
    let number = before.lines().count().max(1) + usize::from(before.ends_with('\n'));
    let line = text.lines().nth(number - 1).unwrap_or_default().trim();
    Failure::new(format!("{}:{number}: `{line}`: {message}", path.display()))
}

/// What stands in either, and where in both, in the upper one.
fn over(mut lower: Table, upper: Table) -> Table {
    for (key, value) in upper {
        let value = match (lower.remove(&key), value) {
            (Some(toml::Value::Table(lower)), toml::Value::Table(upper)) => over(lower, upper).into(),
            (_, value) => value,
        };
        lower.insert(key, value);
    }
    lower
}

/// `table` with what the environment says of the keys that have no flag.
fn overlay(mut table: Table, lookup: impl Fn(&str) -> Option<String>) -> Result<Table, Failure> {
    for key in KEYS {
        let name = format!("GATEWAY_{}", key.replace('.', "_").to_uppercase());
        let Some(text) = lookup(&name).filter(|text| !text.is_empty()) else { continue };
        // By itself first, so that a mistake is told with the variable's name.
        let alone: Result<Settings, _> = put(Table::new(), key, &text).try_into();
        alone.map_err(|error| Failure::new(format!("{name}={text}: {}", error.message().trim_end())))?;
        table = put(table, key, &text);
    }
    Ok(table)
}

fn put(mut table: Table, key: &str, text: &str) -> Table {
    let value = match (key, text.parse::<i64>(), text.parse::<bool>()) {
        // A token of digits is none.
        ("admin_token", ..) => text.into(),
        ("trusted_ips" | "admin_hosts" | "admin_origins", ..) => {
            text.split(',').map(str::trim).collect::<Vec<_>>().into()
        }
        (_, Ok(number), _) => number.into(),
        (_, _, Ok(switch)) => switch.into(),
        _ => text.into(),
    };
    let Some((section, key)) = key.split_once('.') else {
        table.insert(key.to_owned(), value);
        return table;
    };
    let section = table.entry(section).or_insert_with(|| Table::new().into());
    if let Some(section) = section.as_table_mut() {
        section.insert(key.to_owned(), value);
    }
    table
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::{KEYS, Origin, Settings, over, overlay, read};
    use crate::cli::RunArgs;

    fn file(name: &str, text: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("gateway-{}-{name}.toml", std::process::id()));
        fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn a_flag_wins_over_the_environment_and_that_over_the_file() {
        let path = file("order", "workers = 1\n[limits]\ntarget = '1KiB'\nhead = '16KiB'\n");
        let environment = |name: &str| (name == "GATEWAY_LIMITS_TARGET").then(|| "2KiB".to_owned());
        let mut settings: Settings = overlay(read(&path).unwrap(), environment).unwrap().try_into().unwrap();
        settings.flags(RunArgs { workers: Some(3), ..RunArgs::default() });
        assert_eq!(settings.workers, Some(3));
        assert_eq!(settings.limits.target.unwrap().0, 2048);
        assert_eq!(settings.limits.head.unwrap().0, 16 << 10);
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_plugin_is_isolated_by_a_word_that_there_is() {
        let settings = |word: &str| {
            let text = format!("[plugins.isolation]\nof-a-tenant = '{word}'\n");
            text.parse::<toml::Table>().unwrap().try_into::<Settings>()
        };
        let isolation = settings("route").unwrap().plugins.isolation;
        assert_eq!(isolation["of-a-tenant"], gateway_plugins::Isolation::Route);
        let refused = settings("tenant").unwrap_err().to_string();
        assert!(refused.contains("tenant") && refused.contains("`request`"), "{refused}");
    }

    #[test]
    fn a_settings_file_wins_over_kongs() {
        let kong = "workers = 1\n[limits]\nfields = 50\npool = 7\n".parse().unwrap();
        let file = "[limits]\nfields = 60\n".parse().unwrap();
        let settings: Settings = over(kong, file).try_into().unwrap();
        let limits = &settings.limits;
        assert_eq!((settings.workers, limits.fields, limits.pool), (Some(1), Some(60), Some(7)));
    }

    #[test]
    fn mistakes_name_file_line_and_field() {
        for (name, text, told) in [
            ("unknown", "workers = 2\n[limits]\nbogus = 1\n", ":3: `bogus = 1`: unknown field `bogus`"),
            ("type", "\nworkers = 'x'\n", ":2: `workers = 'x'`: invalid type"),
            ("value", "admin = 'nowhere'\n", ":1: `admin = 'nowhere'`: 'nowhere' is no address"),
            ("time", "[timeouts]\nhead = '5'\n", ":2: `head = '5'`: '5' is no time"),
            ("none", "workers = 0\n", ":1: `workers = 0`: not within 1 to 1024"),
            ("range", "[limits]\nstreams = 0\n", ":2: `streams = 0`: not within 1 to 10000"),
            ("short", "[timeouts]\nhead = 0\n", ":2: `head = 0`: not within 100ms to 1440m"),
            ("syntax", "workers = \n", ":1: `workers =`: "),
        ] {
            let path = file(name, text);
            let failure = read(&path).unwrap_err().to_string();
            assert!(failure.contains(told) && failure.lines().count() == 1, "{failure}");
            fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn mistakes_in_the_environment_name_the_variable() {
        let wrong = |name: &str| (name == "GATEWAY_TIMEOUTS_HEAD").then(|| "soon".to_owned());
        let failure = overlay(toml::Table::new(), wrong).unwrap_err().to_string();
        assert!(failure.starts_with("GATEWAY_TIMEOUTS_HEAD=soon: 'soon' is no time"), "{failure}");
    }

    /// What each limit and timeout may be at least and at most, and what is just beyond.
    const RANGES: [(&str, [&str; 2], [&str; 2], &str); 16] = {
        const TIME: ([&str; 2], [&str; 2], &str) = (["100ms", "1440m"], ["99ms", "1441m"], "100ms to 1440m");
        const GRACE: ([&str; 2], [&str; 2], &str) = (["0", "1440m"], ["1441m", "86400001ms"], "0 to 1440m");
        [
            ("limits.head", ["8KiB", "1MiB"], ["1", "1025KiB"], "8KiB to 1024KiB"),
            ("limits.fields", ["8", "4096"], ["0", "70000"], "8 to 4096"),
            ("limits.target", ["1KiB", "64KiB"], ["0", "65KiB"], "1KiB to 64KiB"),
            ("limits.connections", ["1", "10000000"], ["0", "5000000000"], "1 to 10000000"),
            ("limits.streams", ["1", "10000"], ["0", "10001"], "1 to 10000"),
            ("limits.pool", ["1", "1000000"], ["0", "1000001"], "1 to 1000000"),
            ("timeouts.accept", TIME.0, TIME.1, TIME.2),
            ("timeouts.proxy_head", TIME.0, TIME.1, TIME.2),
            ("timeouts.handshake", TIME.0, TIME.1, TIME.2),
            ("timeouts.head", TIME.0, TIME.1, TIME.2),
            ("timeouts.keep_alive", TIME.0, TIME.1, TIME.2),
            ("timeouts.body", TIME.0, TIME.1, TIME.2),
            ("timeouts.body_rate", ["0", "1000000"], ["-1", "1000001"], "0 to 1000000"),
            ("timeouts.write", TIME.0, TIME.1, TIME.2),
            ("timeouts.ready", GRACE.0, GRACE.1, GRACE.2),
            ("timeouts.drain", GRACE.0, GRACE.1, GRACE.2),
        ]
    };

    #[test]
    fn what_is_out_of_range_is_refused_with_the_range() {
        let ranged = KEYS.iter().filter(|key| key.contains('.'));
        assert!(ranged.eq(RANGES.iter().map(|(key, ..)| key)));
        for (key, good, bad, range) in RANGES {
            let name = format!("GATEWAY_{}", key.replace('.', "_").to_uppercase());
            let given =
                |text: &str| overlay(toml::Table::new(), |asked| (asked == name).then(|| text.to_owned()));
            for text in good {
                assert!(given(text).is_ok(), "{key} = {text}");
            }
            for text in bad {
                let failure = given(text).unwrap_err().to_string();
                let told = format!("{name}={text}: not within {range}");
                assert_eq!(failure, told);
            }
        }
    }

    #[test]
    fn an_origin_is_a_scheme_and_a_host() {
        let origin = |text: &str| Origin::try_from(text.to_owned()).is_ok();
        assert!(origin("https://console.internal") && origin("http://localhost:8002"));
        for text in ["*", "null", "console.internal", "https://", "https://a/", "https://a/b", "https://u@a"]
        {
            assert!(!origin(text), "{text}");
        }
    }

    #[test]
    fn the_page_of_settings_is_true() {
        let page = include_str!("../../../docs/settings.md");
        let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        let settings: Settings = toml::from_str(example).unwrap();
        assert_eq!(settings.limits.target.unwrap().0, 16 << 10);
        for key in KEYS {
            assert!(page.contains(&format!("| `{key}` |")), "{key}");
        }
    }

    #[test]
    fn every_key_of_the_environment_is_a_setting() {
        for key in KEYS {
            let value = match *key {
                "admin_token" => "a long random text",
                "admin_hosts" => "admin.internal, gateway",
                "admin_origins" => "https://console.internal, http://localhost:8002",
                "admin_tls_cert" | "admin_tls_key" | "admin_client_ca" => "/etc/gateway/admin.pem",
                "store_copy" | "store_ca" => "/var/lib/gateway",
                "compat" => "kong-3.9-strict",
                "branding" => "neutral",
                "trusted_ips" => "10.0.0.0/8, ::1",
                "real_ip_header" => "X-Forwarded-For",
                "real_ip_recursive" => "true",
                key if key.contains("strict") || key.contains("header") || key == "tls_verify" => "true",
                "path_templates" => "true",
                "limits.fields" | "limits.connections" | "limits.streams" | "limits.pool" => "9",
                "timeouts.body_rate" => "7",
                key if key.starts_with("timeouts") => "7s",
                _ => "9KiB",
            };
            let name = format!("GATEWAY_{}", key.replace('.', "_").to_uppercase());
            let table =
                overlay(toml::Table::new(), |asked| (asked == name).then(|| value.to_owned())).unwrap();
            assert!(!table.is_empty(), "{key}");
        }
    }
}
