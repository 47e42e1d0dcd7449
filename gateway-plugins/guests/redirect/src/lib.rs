//! Sends clients elsewhere.

use plugin_sdk::prelude::*;

/// The configuration.
#[config]
pub struct Config {
    /// The status of the answer.
    #[field(default = 301, between = (100, 599))]
    status_code: u16,
    /// Where to.
    #[field(format = "url")]
    location: String,
    /// Whether the request's path and query take the place of the location's.
    #[field(default = false)]
    keep_incoming_path: bool,
}

/// The plugin.
pub struct Redirect {
    status: u16,
    location: Location,
}

/// Where to.
enum Location {
    As(String),
    /// What stands before the path, and the fragment with its `#`.
    Around(String, String),
}

#[plugin(name = "redirect", priority = 779, protocols = ["grpc", "grpcs", "http", "https"])]
impl Redirect {
    fn configure(config: Config) -> Result<Self, String> {
        if config.status_code < 200 {
            return Err("status_code: no answer ends with a status below 200".to_owned());
        }
        if config.location.bytes().any(|byte| byte.is_ascii_control()) {
            return Err("location: must not have control characters".to_owned());
        }
        let location = match config.keep_incoming_path {
            true => around(&config.location).ok_or("location: missing host in url")?,
            false => Location::As(config.location),
        };
        Ok(Self { status: config.status_code, location })
    }

    fn on_request(&self, request: &mut Request) -> Reply {
        let location = match &self.location {
            Location::As(location) => location.clone(),
            Location::Around(origin, fragment) => format!("{origin}{}{fragment}", request.path_and_query()),
        };
        Reply::new(self.status).header("location", location).with_plain_body("redirecting")
    }
}

fn around(location: &str) -> Option<Location> {
    let after = location.find("://")? + 3;
    let rest = location.get(after..)?;
    let end = after + rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let fragment = location.find('#').and_then(|at| location.get(at..)).unwrap_or_default();
    Some(Location::Around(location.get(..end)?.to_owned(), fragment.to_owned()))
}
