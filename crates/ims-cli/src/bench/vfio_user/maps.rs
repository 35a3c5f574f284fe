// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest's memory as QEMU sends it behind a vIOMMU: a map for each page, each with
//! a descriptor of its own of the same file.

use super::super::Outcome;
use super::super::memory::live;
use super::super::row::Row;
use super::super::timing::{Effort, Watch};
use super::device::Register;
use super::servers::ours;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use std::os::fd::AsFd;
use std::sync::Arc;

/// 1 GiB of 4-KiB pages.
const ALL: u64 = 262_144;
/// The same, quickly.
const FEW: u64 = 16_384;
const PAGE: u64 = 4096;

/// Mapping them all, and unmapping them.
///
/// # Errors
/// What the server or the operating system says.
pub(super) fn rows(effort: Effort) -> Outcome<Vec<Row>> {
    let pages = if effort.is_quick() { FEW } else { ALL };
    let file = memfd_create("ims-bench", MemfdFlags::CLOEXEC)?;
    ftruncate(&file, pages * PAGE)?;
    let mut served = ours(Arc::new(Register::new()?))?;
    let before = live();
    let mut map = Watch::default();
    map.time(pages, || {
        (0..pages).try_for_each(|page| served.client.map(page * PAGE, PAGE, file.as_fd()))
    })?;
    let bytes = live().saturating_sub(before) as f64 / pages as f64;
    let mut unmap = Watch::default();
    unmap.time(pages, || {
        (0..pages).try_for_each(|page| served.client.unmap(page * PAGE, PAGE))
    })?;
    let name = |what: &str| format!("{pages} pages, one map each: {what}");
    let seconds = |watch: &Watch| watch.each() * pages as f64 / 1e9;
    Ok(vec![
        Row::new(name("map one"), map.each(), "ns").note(format!(
            "with its message, its reply and a descriptor of its own; all of them {:.2} s",
            seconds(&map)
        )),
        Row::new(name("unmap one"), unmap.each(), "ns").note(format!(
            "with its message and its reply; all of them {:.2} s",
            seconds(&unmap)
        )),
        Row::new(name("memory of one"), bytes, "bytes").note(format!(
            "all of them {:.1} MiB; the file is mapped once, and no descriptor is kept",
            bytes * pages as f64 / f64::from(1 << 20)
        )),
    ])
}
