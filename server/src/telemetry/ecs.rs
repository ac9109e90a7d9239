//! Log lines as JSON in the terms of the Elastic Common Schema 8.11, one object a line.
//!
//! | of an event | in the line |
//! |---|---|
//! | time, level, text | `@timestamp`, `log.level`, `message`, always first and in this order |
//! | module | `log.logger` |
//! | field `error` | `error.message`, with all causes |
//! | a field named as the schema does, as `event.duration` | the same |
//! | any other field | `labels.NAME`, as a string |
//! | the trace that it belongs to | `trace.id`, `span.id` |
//!
//! Every line also says `ecs.version`, `service.name`, `service.node.name`, `service.version` and
//! `event.dataset`.

use std::{
    error::Error,
    fmt::{self, Debug, Write as _},
    io::{self, Write as _},
};

use opentelemetry::{Context, trace::TraceContextExt};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

#[cfg(test)]
mod tests;

const ECS_VERSION: &str = "8.11.0";
/// Sets of fields of the schema that fields of events may name.
const SETS: [&str; 4] = ["event.", "error.", "trace.", "span."];

/// Writes events as lines.
pub(super) struct Ecs {
    node: String,
}

impl Ecs {
    pub(super) fn new(node: &str) -> Ecs {
        Ecs { node: node.to_owned() }
    }
}

impl<S, N> FormatEvent<S, N> for Ecs
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        fields.take_trace();
        let metadata = event.metadata();
        // Libraries that log in the older way come under one name, and carry their own.
        let logger = fields.logger.as_deref().unwrap_or(metadata.target());
        let level = metadata.level().as_str();
        let line = line(&self.node, OffsetDateTime::now_utc(), level, logger, &fields);
        writeln!(writer, "{line}")
    }
}

/// What an event carries.
#[derive(Default)]
struct Fields {
    message: String,
    logger: Option<String>,
    others: Vec<(String, Value)>,
}

impl Fields {
    /// The trace of which this thread is doing a part, if it is recorded.
    fn take_trace(&mut self) {
        Context::map_current(|context| {
            let span = context.span();
            let span = span.span_context();
            if span.is_valid() && span.is_sampled() {
                self.others.push(("trace.id".to_owned(), span.trace_id().to_string().into()));
                self.others.push(("span.id".to_owned(), span.span_id().to_string().into()));
            }
        });
    }

    fn take(&mut self, field: &Field, value: Value) {
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        match field.name() {
            "message" => self.message = text(value),
            "log.target" => self.logger = Some(text(value)),
            // Where in its source a library logged.
            name if name.starts_with("log.") => {}
            "error" => self.others.push(("error.message".to_owned(), text(value).into())),
            name if SETS.iter().any(|set| name.starts_with(set)) => {
                self.others.push((name.to_owned(), value));
            }
            name => {
                let label = format!("labels.{}", name.replace('.', "_"));
                self.others.push((label, text(value).into()));
            }
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.take(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            // Writing to a string does not fail.
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        self.take(field, text.into());
    }
}

/// One line, without its end.
fn line(node: &str, at: OffsetDateTime, level: &str, logger: &str, fields: &Fields) -> String {
    let mut line = Line(String::from("{"));
    let at = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.millisecond()
    );
    line.put("@timestamp", &at.into());
    line.put("log.level", &level.to_ascii_lowercase().into());
    line.put("message", &json!(fields.message));
    line.put("ecs.version", &ECS_VERSION.into());
    line.put("service.name", &"holdfast".into());
    line.put("service.version", &env!("CARGO_PKG_VERSION").into());
    line.put("service.node.name", &node.into());
    line.put("event.dataset", &"holdfast.node".into());
    line.put("log.logger", &logger.into());
    for (name, value) in &fields.others {
        line.put(name, value);
    }
    line.0 + "}"
}

/// An object whose members keep their order.
struct Line(String);

impl Line {
    fn put(&mut self, name: &str, value: &Value) {
        let separator = if self.0.len() == 1 { "" } else { "," };
        // Writing to a string does not fail, and a JSON value displays as JSON on one line.
        let _ = write!(self.0, "{separator}{}:{value}", Value::from(name));
    }
}

/// From now on a panic is a line as well.
pub(super) fn say_panics(node: &str) {
    let node = node.to_owned();
    std::panic::set_hook(Box::new(move |panic| {
        say(&node, "panic", "a thread panicked", &panic.to_string());
    }));
}

/// Writes a line past the log, for what may come before or after it.
pub(super) fn say(node: &str, logger: &str, message: &str, error: &str) {
    let fields = Fields {
        message: message.to_owned(),
        logger: None,
        others: vec![("error.message".to_owned(), error.into())],
    };
    let line = line(node, OffsetDateTime::now_utc(), "error", logger, &fields);
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(io::stderr().lock(), "{line}");
}
