//! Answers requests with a fixed answer.

mod echo;

use std::rc::Rc;

use plugin_sdk::prelude::*;

/// The configuration.
#[config]
pub struct Config {
    /// The status of the answer.
    #[field(default = 503, between = (100, 599))]
    status_code: u16,
    /// What the answer says, as `{"message": ...}`; where nothing is given, what the status means.
    message: Option<String>,
    /// The type of `body`.
    content_type: Option<String>,
    /// The answer's body, as it is.
    body: Option<String>,
    /// Whether the answer shows the request.
    #[field(default = false)]
    echo: bool,
    /// Only requests with a header field or a query argument of this name are answered.
    #[field(format = "header-name")]
    trigger: Option<String>,
}

/// The plugin: what it answers, and to whom.
pub struct RequestTermination {
    status: u16,
    content: Content,
    trigger: Option<String>,
}

enum Content {
    Nothing,
    Message(String),
    Body(String, Option<String>),
    Echo(Option<String>),
}

#[plugin(
    name = "request-termination",
    priority = 2,
    protocols = ["grpc", "grpcs", "http", "https"],
    reads_body
)]
impl RequestTermination {
    fn configure(config: Config) -> Result<Self, String> {
        check(&config)?;
        let status = config.status_code;
        let message = config.message.or_else(|| meaning(status).map(str::to_owned));
        let content = match (config.echo, config.body, message) {
            (true, _, message) => Content::Echo(message),
            (_, Some(body), _) => Content::Body(body, config.content_type.map(with_charset)),
            (_, None, Some(message)) => Content::Message(message),
            (_, None, None) => Content::Nothing,
        };
        Ok(Self { status, content, trigger: config.trigger })
    }

    fn on_request(self: Rc<Self>, mut request: Request) -> Outcome {
        if self.trigger.as_deref().is_some_and(|name| !triggers(&request, name)) {
            return Outcome::now(());
        }
        let reply = Reply::new(self.status);
        match &self.content {
            Content::Nothing => Outcome::now(reply),
            Content::Message(message) => Outcome::now(reply.message(message)),
            Content::Body(body, Some(kind)) => Outcome::now(reply.with_body(kind.clone(), body.as_str())),
            Content::Body(body, None) => Outcome::now(reply.with_plain_body(body.as_str())),
            Content::Echo(message) => {
                let message = message.clone();
                Outcome::later(async move {
                    let body = request.body().await;
                    let shown = echo::of(&request, &body, message.as_deref());
                    reply.with_body("application/json; charset=utf-8", shown)
                })
            }
        }
    }
}

/// What cannot stand together, in Kong's words.
fn check(config: &Config) -> Result<(), String> {
    let raw = config.content_type.is_some() || config.body.is_some();
    if config.status_code < 200 {
        return Err("status_code: no answer ends with a status below 200".to_owned());
    }
    if config.message.is_some() && raw {
        return Err("message cannot be used with content_type or body".to_owned());
    }
    if config.content_type.is_some() && config.body.is_none() {
        return Err("content_type requires a body".to_owned());
    }
    if config.echo && raw {
        return Err("echo cannot be used with content_type and body".to_owned());
    }
    Ok(())
}

fn triggers(request: &Request, name: &str) -> bool {
    request.header(name).is_some() || Query::parse(&*request.query()).contains(name)
}

/// What Kong says of a status.
const fn meaning(status: u16) -> Option<&'static str> {
    match status {
        401 => Some("Unauthorized"),
        404 => Some("Not found"),
        405 => Some("Method not allowed"),
        500 => Some("An unexpected error occurred"),
        502 => Some("Bad Gateway"),
        503 => Some("Service unavailable"),
        _ => None,
    }
}

/// Text that names no charset is said to be UTF-8, as nginx says of these types (compat P26, P31).
fn with_charset(kind: String) -> String {
    const TEXTS: [&str; 5] =
        ["text/html", "text/plain", "text/xml", "application/javascript", "application/rss+xml"];
    if TEXTS.iter().any(|text| kind.eq_ignore_ascii_case(text)) {
        format!("{kind}; charset=UTF-8")
    } else {
        kind
    }
}
