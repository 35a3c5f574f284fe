// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Model checks of the shipping data half: a device that raises, a driver that masks,
//! unmasks and takes in memory, and commands, at the same time. Gates are words of the
//! model; all else is what ships.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p ims-virtio --release --lib loom_`.

mod bench;
mod busy;
mod commands;
mod unmask;
