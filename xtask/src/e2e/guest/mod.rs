// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What runs in the guest: a module of ours, and a first process that loads it.

pub(crate) mod initramfs;
pub(crate) mod module;
