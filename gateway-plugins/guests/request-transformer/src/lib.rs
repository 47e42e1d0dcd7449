//! Changes requests: header fields, query, body, path and method.

mod arguments;
mod body;
mod config;
mod fields;
mod multipart;
mod path;
mod places;
mod rules;
mod template;

use std::rc::Rc;

use plugin_sdk::prelude::*;

pub use config::Config;

use crate::{
    body::{Kind, Malformed},
    places::Places,
    rules::{Lists, Names, Rules},
    template::Template,
};

/// The plugin: what a configuration does, in its order.
pub struct RequestTransformer {
    path: Option<Template>,
    method: Option<String>,
    /// Whether the method is one of requests without a body: a form then goes into the query.
    into_query: bool,
    headers: Rules,
    query: Rules,
    body: Rules,
}

#[plugin(
    name = "request-transformer",
    priority = 801,
    on_error = "deny",
    protocols = ["grpc", "grpcs", "http", "https"],
    capabilities = ["request", "response", "uri_captures", "var"],
    reads_body
)]
impl RequestTransformer {
    fn configure(config: Config) -> Result<Self, String> {
        let Config { http_method, remove, rename, replace, add, append } = config;
        macro_rules! rules {
            ($part:ident, $names:ident) => {
                Rules::new(
                    &Lists {
                        remove: &remove.$part,
                        rename: &rename.$part,
                        replace: &replace.$part,
                        add: &add.$part,
                        append: &append.$part,
                    },
                    Names::$names,
                )
            };
        }
        Ok(Self {
            path: replace.uri.as_deref().map(Template::parse).transpose()?,
            into_query: matches!(http_method.as_deref(), Some("GET" | "HEAD" | "TRACE")),
            method: http_method,
            headers: rules!(headers, Small)?,
            query: rules!(querystring, AsTheyAre)?,
            body: rules!(body, AsTheyAre)?,
        })
    }

    fn on_request(self: Rc<Self>, mut request: Request) -> Outcome {
        let Some(kind) = self.reads(&request) else { return Outcome::now(self.apply(&mut request, None)) };
        Outcome::later(async move {
            let body = request.body().await;
            self.apply(&mut request, Some((kind, body)))
        })
    }
}

impl RequestTransformer {
    /// The form of the body, where it has to be read.
    fn reads(&self, request: &Request) -> Option<Kind> {
        if request.is_end() || self.body.is_empty() && !self.into_query {
            return None;
        }
        let kind = Kind::of(&request.header("content-type")?)?;
        (!self.body.is_empty() || kind == Kind::Form).then_some(kind)
    }

    fn apply(&self, request: &mut Request, body: Option<(Kind, Vec<u8>)>) -> Flow {
        let places = self.places(request);
        let find = |source, name: &str| places.find(source, name);
        // What goes into header fields is known before any of them changes.
        let headers: Vec<_> = self.headers.render(&find).collect();
        if let Err(refusal) = self.target(request, &places, body.as_ref()) {
            return refusal.into();
        }
        if let Some(method) = &self.method {
            request.set_method(method);
        }
        // A rule that the gateway cannot follow may be there to keep something out.
        if headers.iter().any(|(_, _, value)| !fields::is_value(value)) {
            return Reply::refuse(400, "Invalid header value").into();
        }
        let is_encoded = request.header("content-encoding").is_some_and(|encoding| encoding != "identity");
        for rule in headers {
            fields::apply(request, rule);
        }
        let Some((kind, body)) = body.filter(|_| !self.body.is_empty()) else { return Flow::Continue };
        let changed = if is_encoded { Err(Malformed) } else { kind.changed(&body, self.body.render(&find)) };
        match changed {
            Ok(Some(changed)) => request.set_body(&changed),
            Ok(None) => {}
            Err(Malformed) => return Reply::refuse(400, "Cannot parse request body").into(),
        }
        Flow::Continue
    }

    /// Writes the path and the query, where they change.
    fn target(
        &self,
        request: &mut Request,
        places: &Places,
        body: Option<&(Kind, Vec<u8>)>,
    ) -> Result<(), Reply> {
        let form = body.filter(|(kind, _)| self.into_query && *kind == Kind::Form);
        if self.path.is_none() && self.query.is_empty() && form.is_none() {
            return Ok(());
        }
        let find = |source, name: &str| places.find(source, name);
        let target = request.upstream_path_and_query();
        let (own, query) =
            target.split_once('?').map_or((&*target, None), |(path, query)| (path, Some(query)));
        let path = self.path.as_ref().map(|path| path::encoded(&path.render(find)));
        let path = match &path {
            None => own,
            Some(Some(path)) => path,
            Some(None) => return Err(Reply::refuse(500, "An unexpected error occurred")),
        };
        // What a client put into a template leads nowhere but where the template says.
        if self.path.as_ref().is_some_and(|path| !path.is_plain()) && path::climbs(path) {
            return Err(Reply::refuse(400, "Invalid path"));
        }
        if self.query.is_empty() && form.is_none() {
            let query = query.map(|query| format!("?{query}")).unwrap_or_default();
            return write(request, &format!("{path}{query}"));
        }
        let mut arguments = Query::parse(query.unwrap_or_default());
        if let Some((_, form)) = form {
            arguments.extend(Query::parse(form));
        }
        arguments::apply(&mut arguments, self.query.render(&find));
        let mark = if arguments.is_empty() { "" } else { "?" };
        write(request, &format!("{path}{mark}{arguments}"))
    }

    /// Where templates find their values: looked up before anything changes.
    fn places(&self, request: &Request) -> Places {
        let templates = [&self.headers, &self.query, &self.body].iter().any(|rules| !rules.is_plain());
        let path = self.path.as_ref().is_some_and(|path| !path.is_plain());
        if templates || path { Places::of(request) } else { Places::default() }
    }
}

/// Writes the target; one that is too long is none.
fn write(request: &mut Request, target: &str) -> Result<(), Reply> {
    if target.len() > LONGEST {
        return Err(Reply::refuse(414, "URI Too Long"));
    }
    request.set_path_and_query(target);
    Ok(())
}

/// Bytes of a target.
const LONGEST: usize = 32 << 10;
