//! One store's core without a world: its inputs, its commits and the way of its answers apart, so that the power can go between
//! any two of them.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use stockroom_core::core::Core;
use stockroom_core::input::{Answer, Command, CoreError, Input, Output, Refusal, RequestId};
use stockroom_core::storage::Snapshot;

use crate::node::SimNode;

/// A node alone, with its own clock.
pub struct Solo {
    /// The node.
    pub node: SimNode,
    /// Milliseconds since 1970, as they truly are.
    pub now_ms: u64,
    rng: ChaCha8Rng,
    requests: u64,
}

/// An answer that left the node, under its request.
pub type Delivered = (RequestId, Result<Answer, Refusal>);

impl Solo {
    /// Takes a stopped node out of its world.
    pub fn new(node: SimNode, now_ms: u64, seed: u64) -> Self {
        Self { node, now_ms, rng: ChaCha8Rng::seed_from_u64(seed), requests: 0 }
    }

    /// Starts the core, and carries its first outputs out.
    pub fn start(&mut self) -> Result<(), CoreError> {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        self.node.start(self.now_ms, seed)?;
        self.deliver().map(drop)
    }

    /// Hands a command in. Nothing is durable, nothing is answered.
    pub fn handle(&mut self, command: Command) -> Result<RequestId, CoreError> {
        self.requests += 1;
        let request = RequestId(self.requests);
        self.input(Input::Command(request, Box::new(command)))?;
        Ok(request)
    }

    /// Hands any input in.
    pub fn input(&mut self, input: Input) -> Result<(), CoreError> {
        let now = self.node.now(self.now_ms);
        self.core_mut().handle(now, input)
    }

    /// Makes everything that was handed in durable.
    pub fn commit(&mut self) -> Result<(), CoreError> {
        let now = self.node.now(self.now_ms);
        self.core_mut().commit(now)
    }

    /// Carries the outputs out, the token among them, and gives the answers.
    pub fn deliver(&mut self) -> Result<Vec<Delivered>, CoreError> {
        let mut answers = Vec::new();
        while let Some(output) = self.core_mut().poll()? {
            match output {
                Output::Token(token) => self.node.token = Some(token),
                Output::Reply(request, answer) => answers.push((request, answer)),
                Output::Send(..) | Output::Close(..) | Output::Event(_) | Output::Introduced(_) => {}
            }
        }
        Ok(answers)
    }

    /// What the core committed.
    pub fn snapshot(&self) -> std::sync::Arc<dyn Snapshot> {
        self.core().reader().snapshot().expect("a running node can read")
    }

    /// The running core.
    pub fn core(&self) -> &Core {
        self.node.core.as_ref().expect("the node runs")
    }

    /// The running core, to be changed.
    pub fn core_mut(&mut self) -> &mut Core {
        self.node.core.as_mut().expect("the node runs")
    }
}
