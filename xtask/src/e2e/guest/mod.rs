// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What runs in a guest: modules and programs, and a first process that does what
//! it is told with them. One file system for each kind of device.

mod build;
mod initramfs;
mod stock;

use super::parts::{Kernel, Parts};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::tree;
use initramfs::FileSystem;
use std::path::{Path, PathBuf};

/// What a guest with a DSA can be asked to do.
const DSA: &str = concat!(
    include_str!("asked.sh"),
    include_str!("verbs.sh"),
    include_str!("dsa.sh"),
);

/// What a guest with virtio devices can be asked to do.
const VIRTIO: &str = concat!(
    include_str!("asked.sh"),
    include_str!("virtio.sh"),
    include_str!("virtio_irqs.sh"),
    include_str!("virtio_load.sh"),
);

/// Modules of ours that give a guest virtio devices.
const VIRTIO_MODULES: [&str; 2] = ["ims_virtio_mmio", "ims_virtio_msg"];

/// Drivers of virtio devices and a file system, where they are no part of the kernel.
/// The last one asks for the one before it, by a way that modules do not name.
const VIRTIO_STOCK: [&str; 5] = [
    "virtio_blk",
    "virtio_rng",
    "virtio_mmio",
    "crc32c_generic",
    "ext4",
];

/// Modules of ours that drive a device with a store; the first is what they share.
const STORE_MODULES: [&str; 3] = ["ims_domain", "ims_store", "ims_dsa"];

/// The guest whose kernel programs a device's store itself: that of the example
/// device `ims_store`, or that of an Intel DSA.
///
/// # Errors
/// As [`build::build`], [`Failure::File`].
pub(crate) fn store(parts: &Parts, progress: &Progress) -> Result<PathBuf, Failure> {
    let mut system = FileSystem::new(parts.busybox.program(), include_str!("store.sh"))?;
    let modules = build::build_together(&parts.kernel, "ims", &STORE_MODULES, progress)?;
    for module in modules {
        system.module(&module)?;
    }
    written(&system, "store")
}

/// The guest of an Intel DSA: the kernel's driver with what it depends on, its
/// test of DMA engines, accel-config, and our help for the instruction that
/// submits. What it can be asked to do is in `verbs.sh` and `dsa.sh`.
///
/// # Errors
/// As [`build::build`], [`Failure::File`]; [`Failure::Missing`] if the kernel has
/// no such driver.
pub(crate) fn dsa(parts: &Parts, progress: &Progress) -> Result<PathBuf, Failure> {
    let dmatest = parts.dmatest.as_deref();
    with_dsa(parts, &parts.kernel, dmatest, "dsa", progress)
}

/// The same with the newer kernel; none if there is no such kernel.
///
/// # Errors
/// As [`dsa`].
pub(crate) fn newer_dsa(parts: &Parts, progress: &Progress) -> Result<Option<PathBuf>, Failure> {
    let Some(newer) = &parts.newer else {
        return Ok(None);
    };
    let dmatest = newer.dmatest.as_deref();
    with_dsa(parts, &newer.kernel, dmatest, "newer-dsa", progress).map(Some)
}

fn with_dsa(
    parts: &Parts,
    kernel: &Kernel,
    dmatest: Option<&Path>,
    name: &str,
    progress: &Progress,
) -> Result<PathBuf, Failure> {
    let mut system = FileSystem::new(parts.busybox.program(), DSA)?;
    system.module(&build::build(kernel, "movdir64b", progress)?)?;
    let process = build::build_program(kernel, "movdir64b_process", "process", progress)?;
    system.program("bin/process", &process)?;
    if let Some(source) = dmatest {
        system.module(&build::build_stock(kernel, source, progress)?)?;
    }
    let driver = stock::with_dependencies(kernel, &parts.busybox, "idxd")?;
    for (_, module) in &driver {
        system.module(module)?;
    }
    let names: Vec<_> = driver.into_iter().map(|(name, _)| name).collect();
    system.text("modules/order", &(names.join(" ") + "\n"));
    for (name, file) in parts.accel_config.files()? {
        system.program(&name, &file)?;
    }
    written(&system, name)
}

/// The guest of virtio devices: the kernel's drivers of them, and our modules for
/// devices whose registers are those of virtio-mmio. What it can be asked to do is in
/// `virtio.sh`. Our modules are built for the newer kernel, too, if there is one.
///
/// # Errors
/// As [`build::build`], [`Failure::File`]; [`Failure::Missing`] if the kernel has
/// no such drivers.
pub(crate) fn virtio(parts: &Parts, progress: &Progress) -> Result<PathBuf, Failure> {
    let mut system = FileSystem::new(parts.busybox.program(), VIRTIO)?;
    for module in build::build_together(&parts.kernel, "virtio", &VIRTIO_MODULES, progress)? {
        system.module(&module)?;
    }
    if let Some(newer) = &parts.newer {
        build::build_together(&newer.kernel, "virtio", &VIRTIO_MODULES, progress)?;
    }
    let mut order = Vec::new();
    for wanted in VIRTIO_STOCK {
        for (name, module) in stock::with_dependencies(&parts.kernel, &parts.busybox, wanted)? {
            if !order.contains(&name) {
                system.module(&module)?;
                order.push(name);
            }
        }
    }
    system.text("modules/order", &(order.join(" ") + "\n"));
    written(&system, "virtio")
}

fn written(system: &FileSystem, name: &str) -> Result<PathBuf, Failure> {
    let place = tree::root().join("target/e2e").join(format!("{name}.cpio"));
    system.write(&place)?;
    Ok(place)
}
