//! What plugins of one request tell each other: properties that they set, by other means.

use plugin_contract::{
    Call as _, NOW, decode, encode,
    var::{Get, Set},
};

use crate::{Call, ForeignFunction, Function, Reply, Returned, Status, plugin::Builder};

pub(super) fn serve(builder: Builder) -> Builder {
    builder.function(Get::NAME, Getting).serve(Setting)
}

/// On bytes, because the value is held by nobody that outlives the call.
struct Getting;

impl ForeignFunction for Getting {
    fn call(&self, arguments: &[u8], call: &mut Call<'_>) -> Result<Returned, Status> {
        let Get { name } = decode(arguments).ok_or(Status::BadArgument)?;
        let value = call.notes.and_then(|notes| notes.get(name.as_bytes()));
        let mut answer = std::mem::take(call.answer);
        answer.push(NOW);
        *call.answer = encode(&value.as_deref(), answer).map_err(|_| Status::SerializationFailure)?;
        Ok(Returned::Written)
    }
}

struct Setting;

impl Function for Setting {
    type Arguments<'a> = Set<'a>;

    fn call<'a>(
        &'a self,
        Set { name, value }: Set<'a>,
        call: &'a mut Call<'_>,
    ) -> Result<Reply<bool>, Status> {
        let notes = call.notes.ok_or(Status::BadArgument)?;
        Ok(Reply::Now(notes.set(name.as_bytes(), value).is_ok()))
    }
}
