// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A request that fails has changed nothing, however it fails.

mod allocation;
mod commands;
mod targets;

use super::host::{Host, Side};
use crate::domain::*;
use crate::vector::CpuId;

/// Does `request`, which must fail with `errno` and leave everything as it was.
fn undone<T: std::fmt::Debug>(
    host: &mut Host,
    sides: &[&Side],
    tokens: &[Interrupt],
    errno: i32,
    request: impl FnOnce(&mut Host) -> Result<T, DomainError>,
) {
    let before = host.snapshot(sides, 16, tokens);
    let error = request(host).unwrap_err();
    assert_eq!(error.errno(), errno, "{error}");
    assert_eq!(host.snapshot(sides, 16, tokens), before, "{error}");
}

fn cpu(cpu: u32) -> Affinity {
    Affinity::Cpu(CpuId(cpu))
}
