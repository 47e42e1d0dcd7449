//! Greets who is expected, and sends others away.
use plugin_sdk::prelude::*;

/// The configuration.
#[config]
pub struct Config {
    /// Header field in which callers say who they are.
    #[field(default = "x-name")]
    header: String,
    /// Who may come in.
    #[field(shortest = 1)]
    guests: Vec<String>,
}

/// The plugin.
pub struct PluginHello(Config);

#[plugin(name = "plugin-hello", priority = 1000)]
impl PluginHello {
    fn configure(config: Config) -> Result<Self, String> {
        Ok(Self(config))
    }

    fn on_request(&self, request: &mut Request) -> Flow {
        let Some(name) = request.header(&self.0.header) else {
            return Reply::refuse(401, "Who are you?").into();
        };
        if !self.0.guests.iter().any(|guest| name == **guest) {
            warn!("{name} is not expected");
            return Reply::refuse(403, "You are not on the list").into();
        }
        request.set_response_header("x-greeting", &format!("Hello, {name}!"));
        Flow::Continue
    }
}
