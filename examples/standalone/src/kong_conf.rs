//! Settings of Kong: `kong.conf` and the variables `KONG_*`, as far as they have a meaning here.

use std::{collections::BTreeMap, env, fs, path::Path};

use toml::{Table, Value};

use crate::failure::Failure;

/// What stands in Kong's settings.
#[derive(Debug, Default)]
pub(crate) struct KongConf {
    /// In our words.
    pub(crate) settings: Table,
    /// The keys that were read.
    pub(crate) read: Vec<String>,
    /// Those without a meaning here, with what is there in their place, if anything.
    pub(crate) ignored: Vec<String>,
}

/// A setting and where it stands.
struct Given {
    value: String,
    origin: String,
}

/// The settings in the file, if there is one, and over them those in the variables.
pub(crate) fn read(file: Option<&Path>) -> Result<KongConf, Failure> {
    let mut given = BTreeMap::new();
    if let Some(path) = file {
        let name = path.display().to_string();
        let text =
            fs::read_to_string(path).map_err(|error| Failure::new(format!("cannot read {name}: {error}")))?;
        given = lines(&text, &name)?;
    }
    given.extend(env::vars().filter_map(|(name, value)| variable(&name, value)));
    meant(given)
}

/// `key = value` a line, `#` begins a comment unless it follows a backslash.
fn lines(text: &str, name: &str) -> Result<BTreeMap<String, Given>, Failure> {
    let mut given = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let origin = format!("{name}:{}", number + 1);
        let line = without_comment(line);
        if line.is_empty() {
            continue;
        }
        let (key, value) = line
            .split_once('=')
            .ok_or_else(|| Failure::new(format!("{origin}: `{line}`: expected key = value")))?;
        let value = value.trim();
        let unquoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        let value = unquoted.unwrap_or(value).to_owned();
        given.insert(key.trim().to_lowercase(), Given { value, origin });
    }
    Ok(given)
}

fn without_comment(line: &str) -> String {
    let mut end = line.len();
    for (at, _) in line.match_indices('#') {
        if !line[..at].ends_with('\\') {
            end = at;
            break;
        }
    }
    line[..end].trim().replace("\\#", "#")
}

/// A variable that says a setting. Those that Kubernetes makes of a service named kong do not.
fn variable(name: &str, value: String) -> Option<(String, Given)> {
    let key = name.strip_prefix("KONG_")?.to_lowercase();
    let of_a_service = key.contains("service_host")
        || key.contains("service_port")
        || key == "port"
        || key.contains("port_") && value.contains("://");
    let filled = !value.is_empty() && !of_a_service;
    filled.then(|| (key, Given { value, origin: name.to_owned() }))
}

/// Turns what is given into our settings.
fn meant(given: BTreeMap<String, Given>) -> Result<KongConf, Failure> {
    let mut conf = KongConf::default();
    let admin = AdminTls::of(&given);
    for (key, Given { value, origin }) in given {
        let refused = |what: String| Failure::new(format!("{origin}: {key} = {value}: {what}"));
        let meaning = match admin.translate(&key, &value) {
            Some(meaning) => meaning,
            None => translate(&key, &value).map_err(&refused)?,
        };
        match meaning {
            Meaning::Same(settings) => {
                for (place, value) in settings {
                    put(&mut conf.settings, place, value);
                }
                alone(&conf.settings).map_err(refused)?;
                conf.read.push(key);
            }
            Meaning::Ignored("") => conf.ignored.push(key),
            Meaning::Ignored(instead) => conf.ignored.push(format!("{key} ({instead})")),
        }
    }
    Ok(conf)
}

/// What a setting of Kong means here.
enum Meaning {
    /// Settings of ours, by their dotted names.
    Same(Vec<(&'static str, Value)>),
    /// Nothing. With what is there in its place.
    Ignored(&'static str),
}

/// The Admin API has one address here: the first one in clear, or else the first one with TLS, if it has a certificate.
enum AdminTls {
    /// It is in clear, or off.
    Clear,
    /// It has a certificate and its key.
    Whole,
    /// No certificate is made up where one is missing.
    Bare,
}

impl AdminTls {
    fn of(given: &BTreeMap<String, Given>) -> Self {
        let Some((clear, tls)) = given.get("admin_listen").map(|given| listeners(&given.value)) else {
            return Self::Clear;
        };
        let is_whole = ["admin_ssl_cert", "admin_ssl_cert_key"].iter().all(|key| given.contains_key(*key));
        match (clear.is_empty() && !tls.is_empty(), is_whole) {
            (false, _) => Self::Clear,
            (true, true) => Self::Whole,
            (true, false) => Self::Bare,
        }
    }

    /// What a setting of the listener means; none: it is another one.
    fn translate(&self, key: &str, value: &str) -> Option<Meaning> {
        const BARE: &str = "over TLS the Admin API needs admin_ssl_cert and admin_ssl_cert_key";
        const CLEAR: &str = "admin_listen has an address in clear, or none: the Admin API has one address";
        let one = |place, value: &str| Meaning::Same(vec![(place, value.into())]);
        let address = |list: Vec<String>| list.first()?.split(' ').next().map(str::to_owned);
        Some(match (key, self) {
            ("admin_listen", Self::Bare) | ("admin_ssl_cert" | "admin_ssl_cert_key", Self::Bare) => {
                Meaning::Ignored(BARE)
            }
            ("admin_ssl_cert" | "admin_ssl_cert_key", Self::Clear) => Meaning::Ignored(CLEAR),
            ("admin_ssl_cert", Self::Whole) => one("admin_tls_cert", &first(value)),
            ("admin_ssl_cert_key", Self::Whole) => one("admin_tls_key", &first(value)),
            ("admin_listen", Self::Clear | Self::Whole) => {
                let (clear, tls) = listeners(value);
                match address(clear).or_else(|| address(tls)) {
                    Some(address) => one("admin", &address),
                    None => Meaning::Same(Vec::new()),
                }
            }
            _ => return None,
        })
    }
}

fn translate(key: &str, value: &str) -> Result<Meaning, String> {
    let one = |place, value: Value| Ok(Meaning::Same(vec![(place, value)]));
    match key {
        "declarative_config" => one("config", value.into()),
        "proxy_listen" => {
            let (clear, tls) = listeners(value);
            let lists =
                [("listen", clear), ("listen_tls", tls)].into_iter().filter(|(_, list)| !list.is_empty());
            let lists: Vec<_> = lists.map(|(place, list)| (place, list.into())).collect();
            match lists.is_empty() {
                true => Ok(Meaning::Ignored("a node that listens nowhere is none")),
                false => Ok(Meaning::Same(lists)),
            }
        }
        "admin_gui_url" => {
            one("admin_origins", list(value).iter().map(|url| origin(url)).collect::<Vec<_>>().into())
        }
        "declarative_config_string" => Ok(Meaning::Ignored(
            "entities are read from a file: declarative_config, or FILE of the command line",
        )),
        "headers" => Ok(Meaning::Ignored("which headers answers carry is not chosen one by one")),
        "nginx_worker_processes" if value == "auto" => Ok(Meaning::Same(Vec::new())),
        "nginx_worker_processes" => one("workers", number(value)?),
        "ssl_cert" => one("tls_cert", first(value).into()),
        "ssl_cert_key" => one("tls_key", first(value).into()),
        "router_flavor" => one("router_flavor", value.into()),
        "allow_debug_header" => one("allow_debug_header", switch(value)?),
        "tls_certificate_verify" => one("tls_verify", switch(value)?),
        "trusted_ips" => one("trusted_ips", list(value).into()),
        "real_ip_header" => one("real_ip_header", value.into()),
        "real_ip_recursive" => one("real_ip_recursive", switch(value)?),
        "proxy_access_log" => one("access_log", log_file(value).into()),
        "log_level" => one("log", level(value).into()),
        "lua_max_req_headers" => one("limits.fields", number(value)?),
        "upstream_keepalive_pool_size" => one("limits.pool", number(value)?),
        "nginx_main_worker_shutdown_timeout" => one("timeouts.drain", value.into()),
        "database" if value == "off" => Ok(Meaning::Same(Vec::new())),
        "database" => Ok(Meaning::Ignored("entities are kept by --store, in tables of its own")),
        "status_listen" => Ok(Meaning::Ignored("the Admin API answers /status")),
        "plugins" => Ok(Meaning::Ignored("all that come with the gateway are there, more by --plugins")),
        "prefix" => Ok(Meaning::Ignored("nothing is kept there")),
        _ => Ok(Meaning::Ignored("")),
    }
}

/// The addresses in clear, and those with TLS: `0.0.0.0:8000 reuseport, 0.0.0.0:8443 http2 ssl`; each with the word
/// `proxy_protocol` where that is there.
fn listeners(value: &str) -> (Vec<String>, Vec<String>) {
    let mut all = (Vec::new(), Vec::new());
    for listener in
        value.split(',').map(str::trim).filter(|listener| !listener.is_empty() && *listener != "off")
    {
        let mut words = listener.split_whitespace();
        let mut address = words.next().unwrap_or_default().to_owned();
        if words.clone().any(|word| word == "proxy_protocol") {
            address.push_str(" proxy_protocol");
        }
        let list = if words.any(|word| word == "ssl") { &mut all.1 } else { &mut all.0 };
        list.push(address);
    }
    all
}

fn list(value: &str) -> Vec<String> {
    value.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

fn first(value: &str) -> String {
    list(value).into_iter().next().unwrap_or_default()
}

/// The origin of a page: its address without a path.
fn origin(url: &str) -> String {
    let path = url.find("://").and_then(|at| Some(at + 3 + url.get(at + 3..)?.find(['/', '?', '#'])?));
    path.and_then(|at| url.get(..at)).unwrap_or(url).to_owned()
}

fn number(value: &str) -> Result<Value, String> {
    value.parse::<i64>().map(Value::from).map_err(|_| "expected a number".to_owned())
}

fn switch(value: &str) -> Result<Value, String> {
    match value {
        "on" | "true" => Ok(true.into()),
        "off" | "false" => Ok(false.into()),
        _ => Err("expected on or off".to_owned()),
    }
}

/// The path without the name of a format, which would be nginx's.
fn log_file(value: &str) -> &str {
    match value.split_whitespace().next().unwrap_or_default() {
        "/dev/stdout" => "stdout",
        "/dev/stderr" => "stderr",
        path => path,
    }
}

fn level(value: &str) -> &str {
    match value {
        "notice" => "info",
        "crit" | "alert" | "emerg" => "error",
        other => other,
    }
}

fn put(table: &mut Table, place: &str, value: Value) {
    match place.split_once('.') {
        None => drop(table.insert(place.to_owned(), value)),
        Some((section, key)) => {
            let section = table.entry(section).or_insert_with(|| Table::new().into());
            if let Some(section) = section.as_table_mut() {
                section.insert(key.to_owned(), value);
            }
        }
    }
}

/// Whether these are settings, before anything else is put over them.
fn alone(settings: &Table) -> Result<(), String> {
    let settings: Result<crate::settings::Settings, _> = settings.clone().try_into();
    settings.map(drop).map_err(|error| error.message().trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Given, KongConf, lines, meant, variable};
    use crate::{address::ListenAddress, settings::Settings};

    const FILE: &str = "
# -----------------------
#prefix = /usr/local/kong
proxy_listen = 0.0.0.0:8000 reuseport backlog=16384, 127.0.0.1:8443 http2 ssl reuseport  # both
admin_listen = 127.0.0.1:8001 reuseport, 127.0.0.1:8444 http2 ssl
database = off
declarative_config = '/etc/kong/kong.yml'
trusted_ips = 10.0.0.0/8, ::1
log_level = notice
proxy_access_log = /dev/stdout custom_fmt
nginx_worker_processes = 2
lua_max_req_headers = 50
lua_package_path = ./?.lua
plugins = bundled
";

    fn conf(text: &str) -> KongConf {
        meant(lines(text, "kong.conf").unwrap()).unwrap()
    }

    #[test]
    fn what_has_a_meaning_is_read_and_the_rest_is_named() {
        let conf = conf(FILE);
        let settings: Settings = conf.settings.try_into().unwrap();
        assert_eq!(settings.listen.unwrap()[0].address.to_string(), "0.0.0.0:8000");
        assert_eq!(settings.listen_tls.unwrap()[0].address.to_string(), "127.0.0.1:8443");
        assert_eq!(settings.admin.unwrap().0.to_string(), "127.0.0.1:8001");
        assert_eq!(settings.config.unwrap().to_str(), Some("/etc/kong/kong.yml"));
        assert_eq!(settings.trusted_ips.unwrap().len(), 2);
        assert_eq!((settings.log.as_deref(), settings.access_log.as_deref()), (Some("info"), Some("stdout")));
        assert_eq!((settings.workers, settings.limits.fields), (Some(2), Some(50)));
        assert_eq!(conf.ignored[0], "lua_package_path");
        assert!(conf.ignored[1].starts_with("plugins (all that come"));
        assert_eq!(conf.ignored.len(), 2);
    }

    #[test]
    fn proxy_protocol_and_where_addresses_are_told_are_read() {
        let conf = conf(
            "proxy_listen = :8000 reuseport proxy_protocol, :8443 proxy_protocol ssl, :8001\n\
             real_ip_header = proxy_protocol\nreal_ip_recursive = on\n",
        );
        let settings: Settings = conf.settings.try_into().unwrap();
        let proxied = |list: Option<Vec<ListenAddress>>| -> Vec<_> {
            list.unwrap().iter().map(|listen| (listen.address.port(), listen.proxy_protocol)).collect()
        };
        assert_eq!(proxied(settings.listen), [(8000, true), (8001, false)]);
        assert_eq!(proxied(settings.listen_tls), [(8443, true)]);
        assert_eq!(settings.real_ip_header.unwrap().0, None);
        assert_eq!((settings.real_ip_recursive, conf.ignored.len()), (Some(true), 0));
    }

    #[test]
    fn the_admin_api_speaks_tls_where_all_of_it_is_said() {
        const KEYS: &str = "admin_ssl_cert = /a.pem\nadmin_ssl_cert_key = /a.key\n";
        let read = |text: &str| {
            let conf = conf(text);
            let settings: Settings = conf.settings.try_into().unwrap();
            let admin = settings.admin.map(|address| address.0.to_string());
            (admin, settings.admin_tls_cert.zip(settings.admin_tls_key).is_some(), conf.ignored)
        };
        let (admin, tls, ignored) = read(&format!("admin_listen = 127.0.0.1:8444 http2 ssl\n{KEYS}"));
        assert_eq!((admin.as_deref(), tls, ignored.len()), (Some("127.0.0.1:8444"), true, 0));
        let (admin, tls, ignored) = read(&format!("admin_listen = :1 ssl, 127.0.0.1:8001\n{KEYS}"));
        assert_eq!((admin.as_deref(), tls, ignored.len()), (Some("127.0.0.1:8001"), false, 2));
        let (admin, tls, ignored) = read("admin_listen = 127.0.0.1:8444 ssl");
        assert_eq!((admin, tls), (None, false), "never in clear where TLS is asked for");
        assert!(ignored[0].contains("needs admin_ssl_cert"), "{ignored:?}");
        assert_eq!(read("admin_listen = off"), (None, false, vec![]));
        assert_eq!(read(KEYS).2.len(), 2);
    }

    #[test]
    fn pages_of_kongs_manager_are_known_by_their_origin() {
        let conf = conf("admin_gui_url = https://manager.internal:8445/manager, http://localhost:8002");
        let settings: Settings = conf.settings.try_into().unwrap();
        let origins: Vec<_> = settings.admin_origins.unwrap().into_iter().map(|origin| origin.0).collect();
        assert_eq!(origins, ["https://manager.internal:8445", "http://localhost:8002"]);
    }

    #[test]
    fn mistakes_name_their_line() {
        let told = |text: &str| {
            let given = lines(text, "kong.conf");
            given.and_then(meant).unwrap_err().to_string()
        };
        assert_eq!(told("\nnonsense"), "kong.conf:2: `nonsense`: expected key = value");
        assert!(
            told("admin_listen = nowhere")
                .starts_with("kong.conf:1: admin_listen = nowhere: 'nowhere' is no address")
        );
        assert_eq!(
            told("allow_debug_header = maybe"),
            "kong.conf:1: allow_debug_header = maybe: expected on or off"
        );
        assert!(told("nginx_worker_processes = 0").contains("not within 1 to 1024"));
    }

    #[test]
    fn variables_are_settings_unless_kubernetes_made_them() {
        let key = |name: &str, value: &str| variable(name, value.to_owned()).map(|(key, _)| key);
        assert_eq!(key("KONG_PROXY_LISTEN", "off").as_deref(), Some("proxy_listen"));
        for (name, value) in [
            ("KONG_PORT", "tcp://10.0.0.1:80"),
            ("KONG_PORT_80_TCP", "tcp://10.0.0.1:80"),
            ("KONG_SERVICE_HOST", "10.0.0.1"),
            ("KONG_ADMIN_SERVICE_PORT_HTTP", "80"),
            ("KONG_ADMIN_LISTEN", ""),
            ("KONGO", "1"),
        ] {
            assert_eq!(key(name, value), None, "{name}");
        }
    }

    #[test]
    fn a_variable_wins_over_the_file() {
        let mut given = lines("log_level = debug", "kong.conf").unwrap();
        given.extend(variable("KONG_LOG_LEVEL", "warn".to_owned()));
        let given: BTreeMap<String, Given> = given;
        assert_eq!(meant(given).unwrap().settings["log"].as_str(), Some("warn"));
    }

    #[test]
    fn a_comment_ends_a_line_unless_it_is_escaped() {
        assert_eq!(
            conf("proxy_access_log = /var/log/a\\#b # here").settings["access_log"].as_str(),
            Some("/var/log/a#b")
        );
    }
}
