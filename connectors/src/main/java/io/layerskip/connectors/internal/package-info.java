/**
 * What stands between the public classes and Kafka's clients: records to and from the client's own,
 * and the questions that are put to the brokers before a job is submitted.
 */
package io.layerskip.connectors.internal;
