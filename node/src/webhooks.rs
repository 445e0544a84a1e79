//! Webhooks: what happens at this node, told to other systems over HTTP and signed as Standard Webhooks 1.0.0 has it.
//!
//! The body of a delivery is a CloudEvent 1.0 in JSON (structured mode). What stands in a log is read from its scope's durable
//! feed, so a receiver that was away, or a node that was, misses nothing of it; what stands nowhere (links, alarms) is told as
//! long as the node runs. Deliveries are at least once and in no order across failures: `webhook-id` is the same over retries.
//!
//! | module | what it knows |
//! |---|---|
//! | [`signature`] | secrets, signing, and what a receiver does to verify |
//! | [`ladder`] | when a delivery is tried again, and what an answer means |
//! | [`guard`] | which addresses may be told anything |
//! | [`endpoint`] | who wants to be told what; the `[webhooks]` section of the configuration |
//! | [`outbox`] | what one endpoint still has to be told: pure, with the time as an argument |
//! | [`book`] | all endpoints and outboxes, and their files |
//! | [`post`] | one delivery over HTTP |
//! | [`feed`] | the durable feed as events |
//! | [`service`] | the part that the API and the daemon talk to |
//! | [`worker`] | the task that reads, sends and saves |

pub mod signature;

pub mod ladder;

pub mod guard;

pub mod endpoint;

pub mod outbox;

pub mod book;

pub mod post;

pub mod feed;

pub mod service;

pub mod worker;
