//! A plugin behind its callbacks, whatever its type.

use crate::{Plugin, runtime::Runtime, scene::Action};

/// A plugin behind its callbacks.
pub(super) trait Guest {
    fn context_create(&self, context: u32, parent: u32);
    fn configure(&self, root: u32, size: usize) -> bool;
    fn request_headers(&self, context: u32, end: bool) -> Action;
    fn request_body(&self, context: u32, size: usize, end: bool) -> Action;
    fn response_headers(&self, context: u32, end: bool) -> Action;
    fn response_body(&self, context: u32, size: usize, end: bool) -> Action;
    fn log(&self, context: u32);
    fn delete(&self, context: u32);
    fn tick(&self, root: u32);
    fn called(&self, token: u32, fields: u32, body: usize);
    fn foreign(&self, token: u32, size: usize);
}

impl<P: Plugin> Guest for Runtime<P> {
    fn context_create(&self, context: u32, parent: u32) {
        self.on_context_create(context, parent);
    }

    fn configure(&self, root: u32, size: usize) -> bool {
        self.on_configure(root, size)
    }

    fn request_headers(&self, context: u32, end: bool) -> Action {
        self.on_request_headers(context, end)
    }

    fn request_body(&self, context: u32, size: usize, end: bool) -> Action {
        self.on_request_body(context, size, end)
    }

    fn response_headers(&self, context: u32, end: bool) -> Action {
        self.on_response_headers(context, end)
    }

    fn response_body(&self, context: u32, size: usize, end: bool) -> Action {
        self.on_response_body(context, size, end)
    }

    fn log(&self, context: u32) {
        self.on_log(context);
    }

    fn delete(&self, context: u32) {
        self.on_delete(context);
    }

    fn tick(&self, root: u32) {
        self.on_tick(root);
    }

    fn called(&self, token: u32, fields: u32, body: usize) {
        self.on_http_call_response(token, fields, body);
    }

    fn foreign(&self, token: u32, size: usize) {
        self.on_foreign_function(token, size);
    }
}
