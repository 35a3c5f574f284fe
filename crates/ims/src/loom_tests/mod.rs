// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Model checks of the shipping modules: each place where two threads meet on the
//! data path. Every interleaving that the memory model allows is tried.
//!
//! Two limits of loom 0.7 shape them:
//! - of a word it remembers only the last access. Where one side looks at a word
//!   before it changes it and the other only looks, the one that only looks must
//!   be the spawned thread, or its look is never tried after the change;
//! - it lets a plain store land between the two halves of a read-modify-write.
//!   No model has both race on one word.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p ims --release --lib loom_`.

mod bench;
mod busy_sink;
mod context_sync;
mod crowd;
mod dispatch;
mod engine_copies;
mod free_reuse;
mod guest_store;
mod handle_reuse;
mod mask_raise;
mod move_raise;
mod msix;
mod pending_look;
mod post_sleep;
mod quiet;
mod remapped;
mod unmask_race;
mod wait;
