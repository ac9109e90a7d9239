//! Both texts, to the letter.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use super::{About, Registry, Unit};

fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.show(About::new("pushes", "Pushes of everyone"), Counter::<u64>::default()).inc();
    registry.show(About::new("open", "Open now"), Gauge::<i64>::default()).set(-1);
    let took = About::new("push", "How long it took").in_unit(Unit::Seconds);
    registry.show(took, Histogram::new([0.5])).observe(0.25);
    registry
}

#[test]
fn the_older_text_has_each_family_under_the_name_of_its_samples() {
    let expected = "# HELP holdfast_pushes_total Pushes of everyone.\n\
                    # TYPE holdfast_pushes_total counter\n\
                    holdfast_pushes_total 1\n\
                    # HELP holdfast_open Open now.\n\
                    # TYPE holdfast_open gauge\n\
                    holdfast_open -1\n\
                    # HELP holdfast_push_seconds How long it took.\n\
                    # TYPE holdfast_push_seconds histogram\n\
                    holdfast_push_seconds_sum 0.25\n\
                    holdfast_push_seconds_count 1\n\
                    holdfast_push_seconds_bucket{le=\"0.5\"} 1\n\
                    holdfast_push_seconds_bucket{le=\"+Inf\"} 1\n";
    assert_eq!(registry().prometheus().unwrap(), expected);
}

#[test]
fn the_newer_text_names_units_and_its_end() {
    let text = registry().open_metrics().unwrap();
    assert!(text.contains("# TYPE holdfast_pushes counter\nholdfast_pushes_total 1\n"), "{text}");
    assert!(text.contains("# UNIT holdfast_push_seconds seconds\n"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[test]
fn names_are_told_as_prometheus_keeps_them() {
    let names: Vec<String> = registry().known().iter().map(super::Known::name).collect();
    assert_eq!(names, ["holdfast_pushes_total", "holdfast_open", "holdfast_push_seconds"]);
}
