use std::collections::BTreeMap;

use super::{
    KongConf,
    given::{Given, lines, variable},
    meant,
};
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
