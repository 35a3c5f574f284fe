// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Model checks of the shipping line: whoever writes the eventfd, the guest that masks
//! and moves the vector, and the forwarder and commits, at the same time. The kernel
//! is a model; each of its calls is one step, as a wait queue's lock makes it.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p ims-kvm --release --lib loom_`.
#![allow(clippy::unwrap_used, reason = "models are tests")]

mod close;
mod commit;
mod kernel;
mod mask;
