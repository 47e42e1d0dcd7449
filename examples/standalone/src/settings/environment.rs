//! The variables `GATEWAY_*` of what has no flag.

use toml::Table;

use super::{Settings, table::put};
use crate::failure::Failure;

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

/// `table` with what the environment says of the keys that have no flag.
pub(super) fn overlay(mut table: Table, lookup: impl Fn(&str) -> Option<String>) -> Result<Table, Failure> {
    for key in KEYS {
        let name = format!("GATEWAY_{}", key.replace('.', "_").to_uppercase());
        let Some(text) = lookup(&name).filter(|text| !text.is_empty()) else { continue };
        // By itself first, so that a mistake is told with the variable's name.
        let alone: Result<Settings, _> = with(Table::new(), key, &text).try_into();
        alone.map_err(|error| Failure::new(format!("{name}={text}: {}", error.message().trim_end())))?;
        table = with(table, key, &text);
    }
    Ok(table)
}

fn with(mut table: Table, key: &str, text: &str) -> Table {
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
    put(&mut table, key, value);
    table
}

#[cfg(test)]
mod tests {
    use super::{KEYS, overlay};
    use crate::settings::Settings;

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
    fn the_page_of_settings_is_true() {
        let page = include_str!("../../../../docs/settings.md");
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
