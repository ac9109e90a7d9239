//! What a run came to, for people and for programs.

use super::load::{Load, Measured};
use crate::output::Output;
use serde_json::json;
use std::time::Duration;

pub(super) fn tell(workload: &str, load: &Load, measured: &Measured, output: &Output) {
    let Measured { latency, took, cpu_nodes, cpu_client, elections } = measured;
    let operations = latency.len();
    let per_second = operations as f64 / took.as_secs_f64();
    let ms = |us: u64| us as f64 / 1_000.0;
    let (p50, p99, max) = (
        ms(latency.value_at_quantile(0.5)),
        ms(latency.value_at_quantile(0.99)),
        ms(latency.max()),
    );
    let per_operation =
        |cpu: &Option<Duration>| cpu.map(|cpu| cpu.as_micros() as f64 / operations as f64);
    let (nodes, client) = (per_operation(cpu_nodes), per_operation(cpu_client));
    if output.is_json() {
        output.value(&json!({
            "workload": workload,
            "clients": load.clients,
            "seconds": round(took.as_secs_f64()),
            "size": load.size,
            "operations": operations,
            "per_second": round(per_second),
            "p50_ms": round(p50),
            "p99_ms": round(p99),
            "max_ms": round(max),
            "cpu_us_nodes": nodes.map(round),
            "cpu_us_client": client.map(round),
            "elections": elections,
        }));
        return;
    }
    let cpu =
        |us: Option<f64>| us.map_or_else(|| "not known".to_owned(), |us| format!("{us:.0} µs"));
    output.line(format!("{operations} in {:.1} s: {per_second:.1} per second", took.as_secs_f64()));
    output.line(format!("p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms"));
    output.line(format!("CPU of each: {} in all nodes, {} in the client", cpu(nodes), cpu(client)));
    if let Some(elections) = elections {
        output.line(format!("elections meanwhile: {elections}"));
    }
}

/// To a thousandth: more digits than that are noise.
fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
