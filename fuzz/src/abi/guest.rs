//! The guest.

use super::table::{CALLBACKS, CALLS, OPERATION, RETURNS, TEXTS, WORDS};

/// A guest that does what a script says.
pub(super) fn guest() -> String {
    let (mut imports, mut cases, mut open, mut labels) =
        (String::new(), String::new(), String::new(), String::new());
    for (at, (module, name, parameters)) in CALLS.iter().enumerate() {
        let types: Vec<_> = parameters.chars().map(|kind| if kind == 'l' { "i64" } else { "i32" }).collect();
        if *module != "guest" {
            let types = types.join(" ");
            imports.push_str(&format!(
                "(import \"{module}\" \"{name}\" (func ${name} (param {types}) (result i32)))\n"
            ));
        }
        let loads: String = parameters
            .chars()
            .enumerate()
            .map(|(k, kind)| {
                let load = format!("(i32.load offset={} (local.get 0))", 4 + 4 * k);
                if kind == 'l' { format!("(i64.extend_i32_s {load})") } else { load }
            })
            .collect();
        let body = match *name {
            "poke" => format!("(i32.store {loads})"),
            "grow" => format!("(drop (memory.grow {loads}))"),
            "trap" => "(unreachable)".to_owned(),
            "spin" => "(loop $again (br $again))".to_owned(),
            name => format!("(drop (call ${name} {loads}))"),
        };
        open.insert_str(0, &format!("(block $c{at} "));
        labels.push_str(&format!("$c{at} "));
        cases.push_str(&format!(") {body} (br $end)\n"));
    }
    let texts: String =
        WORDS.iter().flat_map(|(_, text)| *text).map(|byte| format!("\\{byte:02x}")).collect();
    let callback = |name: &str, parameters: usize, returns: bool| {
        let at = CALLBACKS.iter().position(|(known, _)| *known == name).expect("a callback");
        let parameters = "i32 ".repeat(parameters);
        let (result, body) = match returns {
            true => ("(result i32)", format!("(call $run (i32.const {at}))")),
            false => ("", format!("(drop (call $run (i32.const {at})))")),
        };
        format!("(func (export \"proxy_on_{name}\") (param {parameters}) {result} {body})\n")
    };
    let callbacks: String = [
        callback("context_create", 2, false),
        callback("vm_start", 2, true),
        callback("request_headers", 3, true),
        callback("request_body", 3, true),
        callback("request_trailers", 2, true),
        callback("response_headers", 3, true),
        callback("response_body", 3, true),
        callback("response_trailers", 2, true),
        callback("done", 1, true),
        callback("log", 1, false),
        callback("delete", 1, false),
        callback("tick", 1, false),
        callback("queue_ready", 2, false),
        callback("http_call_response", 5, false),
        callback("foreign_function", 3, false),
    ]
    .concat();
    format!(
        r#"(module {imports}
        (memory (export "memory") 2)
        (data (i32.const 16) "script") (data (i32.const {TEXTS}) "{texts}")
        (global $script (mut i32) (i32.const 0)) (global $size (mut i32) (i32.const 0))
        (global $top (mut i32) (i32.const 65536)) (global $depth (mut i32) (i32.const 0))
        (global $left (mut i32) (i32.const 500))
        (func (export "proxy_abi_version_0_2_1"))
        (func $do (param i32) (block $end {open} (br_table {labels} $end (i32.load8_u offset=1 (local.get 0)))
            {cases}))
        ;; All calls of a callback, in their order; not from within more than three others, and not for ever: a guest that
        ;; always has something to do lets no time pass.
        (func $run (param $callback i32) (result i32) (local $at i32)
            (if (i32.or (i32.eqz (global.get $script)) (i32.gt_u (global.get $depth) (i32.const 3)))
                (then (return (i32.const 1))))
            (if (i32.eqz (global.get $left)) (then (return (i32.const 1))))
            (global.set $left (i32.sub (global.get $left) (i32.const 1)))
            (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
            (local.set $at (i32.const {RETURNS}))
            (block $out (loop $next
                (br_if $out (i32.ge_u (local.get $at) (global.get $size)))
                (if (i32.eq (i32.load8_u (i32.add (global.get $script) (local.get $at))) (local.get $callback))
                    (then (call $do (i32.add (global.get $script) (local.get $at)))))
                (local.set $at (i32.add (local.get $at) (i32.const {OPERATION})))
                (br $next)))
            (global.set $depth (i32.sub (global.get $depth) (i32.const 1)))
            (i32.load8_u (i32.add (global.get $script) (local.get $callback))))
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (if (i32.eqz (global.get $script)) (then
                (drop (call $proxy_call_foreign_function (i32.const 16) (i32.const 6) (i32.const 0) (i32.const 0)
                    (i32.const 8) (i32.const 12)))
                (global.set $size (i32.load (i32.const 12)))
                (global.set $script (i32.load (i32.const 8)))))
            (call $run (i32.const 2)))
        (func (export "malloc") (param i32) (result i32) (local $way i32)
            (local.set $way (call $run (i32.const 16)))
            (if (i32.and (i32.ne (global.get $script) (i32.const 0)) (i32.eq (local.get $way) (i32.const 1)))
                (then (return (i32.const 0))))
            (if (i32.eq (local.get $way) (i32.const 2)) (then (return (i32.const -8))))
            (if (i32.eq (local.get $way) (i32.const 3)) (then (return (global.get $script))))
            (if (i32.gt_u (i32.add (global.get $top) (local.get 0)) (i32.const 131072))
                (then (return (i32.const 0))))
            (global.get $top)
            (global.set $top (i32.add (global.get $top) (local.get 0))))
        {callbacks})"#
    )
}
