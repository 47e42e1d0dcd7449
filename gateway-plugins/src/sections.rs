//! The sections of a module, in their order.

use wasmparser::{Chunk, Parser, Payload};

use crate::LoadError;

/// The sections of a module in WebAssembly's binary format. Its code is passed over, not looked at: what comes with the
/// gateway is read at each start, and most of it is never used.
pub(crate) struct Sections<'a> {
    parser: Parser,
    rest: &'a [u8],
    ended: bool,
}

impl<'a> Sections<'a> {
    pub(crate) fn of(module: &'a [u8]) -> Self {
        Self { parser: Parser::new(0), rest: module, ended: false }
    }

    fn read(&mut self) -> Result<Payload<'a>, LoadError> {
        // All of it is here: more is never asked for.
        let chunk = self.parser.parse(self.rest, true).map_err(|error| LoadError::Invalid(error.into()))?;
        let Chunk::Parsed { consumed, payload } = chunk else { return Ok(Payload::End(0)) };
        self.pass(consumed);
        // Code that is cut off is left to the parser, which says where.
        if let Payload::CodeSectionStart { size, .. } = payload
            && self.rest.len() >= size as usize
        {
            self.parser.skip_section();
            self.pass(size as usize);
        }
        Ok(payload)
    }

    fn pass(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }
}

impl<'a> Iterator for Sections<'a> {
    type Item = Result<Payload<'a>, LoadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let read = self.read();
        self.ended = matches!(read, Ok(Payload::End(_)) | Err(_));
        (!matches!(read, Ok(Payload::End(_)))).then_some(read)
    }
}

#[cfg(test)]
mod tests {
    use wasmparser::Payload;

    use super::Sections;

    #[test]
    fn what_stands_behind_the_code_is_found_and_the_code_is_not_looked_at() {
        let module = wat::parse_str(
            r#"(module (func (export "f") (result i32) (i32.const 7)) (@custom "last" (after last) "text"))"#,
        );
        let mut module = module.unwrap();
        // A function's body that is none: whoever looks at it fails.
        let body = module.windows(2).position(|bytes| bytes == [0x41, 0x07]).unwrap();
        module[body - 1] = 0xff;
        let custom = |payload| match payload {
            Ok(Payload::CustomSection(section)) => Some((section.name().to_owned(), section.data().to_vec())),
            _ => None,
        };
        let found: Vec<_> = Sections::of(&module).filter_map(custom).collect();
        assert_eq!(found, [("last".to_owned(), b"text".to_vec())]);
    }

    #[test]
    fn code_that_is_cut_off_is_refused() {
        let module = wat::parse_str("(module (func nop nop nop nop))").unwrap();
        assert!(Sections::of(&module).all(|section| section.is_ok()));
        for length in module.len() - 4..module.len() {
            let mut sections = Sections::of(&module[..length]);
            assert!(sections.any(|section| section.is_err()), "{length}");
            assert!(sections.next().is_none(), "{length}");
        }
    }
}
