// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Model checks of the shipping modules: each place where two threads meet on the
//! data path. Every interleaving that the memory model allows is tried.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p ims --release --lib loom_`.

mod bench;
mod busy_sink;
mod context_sync;
mod free_reuse;
mod mask_raise;
mod post_sleep;
