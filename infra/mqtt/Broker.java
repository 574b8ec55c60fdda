import com.hivemq.configuration.service.InternalConfigurations;
import com.hivemq.embedded.EmbeddedHiveMQ;
import com.hivemq.embedded.internal.EmbeddedHiveMQBuilderImpl;
import java.io.File;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.concurrent.CountDownLatch;
import jetbrains.exodus.ArrayByteIterable;
import jetbrains.exodus.ByteIterable;
import jetbrains.exodus.env.Cursor;
import jetbrains.exodus.env.Environment;
import jetbrains.exodus.env.EnvironmentConfig;
import jetbrains.exodus.env.Environments;
import jetbrains.exodus.env.Store;
import jetbrains.exodus.env.StoreConfig;
import jetbrains.exodus.env.Transaction;

/** Runs HiveMQ Community Edition from one directory: conf/config.xml, data/ and extensions/ (empty). */
public final class Broker {

    /** As Mosquitto's max_inflight_messages: HiveMQ's own 50 starves a subscriber that acknowledges in batches. */
    private static final int INFLIGHT_MESSAGES = 1000;

    /** Stores per kind. HiveMQ's own 64 are for many cores; 4 open a second sooner. Fixed: data are spread over them. */
    private static final int BUCKETS = 4;

    public static void main(String[] arguments) throws Exception {
        Path home = Paths.get(arguments[0]);
        tune();
        int stranded = SharedQueues.redeliver(home.resolve("data/persistence/client_queue/040500").toFile());
        if (stranded > 0) {
            System.out.println("Redelivering " + stranded + " messages that were in flight to shared subscriptions");
        }
        final EmbeddedHiveMQ broker = new EmbeddedHiveMQBuilderImpl()
                .withConfigurationFolder(home.resolve("conf"))
                .withDataFolder(home.resolve("data"))
                .withExtensionsFolder(home.resolve("extensions"))
                .withoutLoggingBootstrap()
                .build();
        Runtime.getRuntime().addShutdownHook(new Thread() {
            @Override
            public void run() {
                broker.stop().join();
            }
        });
        broker.start().join();
        new CountDownLatch(1).await();
    }

    /** Settings that config.xml does not reach. Durability is as HiveMQ ships it: an acknowledged message is logged. */
    private static void tune() {
        InternalConfigurations.MAX_INFLIGHT_WINDOW_SIZE_MESSAGES = INFLIGHT_MESSAGES;
        InternalConfigurations.PUBLISH_POLL_BATCH_SIZE = INFLIGHT_MESSAGES;
        InternalConfigurations.PERSISTENCE_BUCKET_COUNT.set(BUCKETS);
        InternalConfigurations.PAYLOAD_PERSISTENCE_BUCKET_COUNT.set(BUCKETS);
        // The write-ahead log keeps the payloads; flushing the tables by hand on top costs a third of the rate.
        InternalConfigurations.PUBLISH_PAYLOAD_FORCE_FLUSH_ENABLED.set(false);
        InternalConfigurations.PERSISTENCE_SHUTDOWN_GRACE_PERIOD_MSEC.set(200);
    }
}

/**
 * What HiveMQ CE forgets when it was killed: the queue of a shared subscription notes on disk which messages are in
 * flight, the note goes when their receiver's connection ends, and a broker that starts keeps the notes of one that had
 * no time to remove them. It never sends such a message again, and as the queue never is empty, wakes no subscriber for
 * new ones either. Nothing is in flight before a broker has started, so all notes of shared queues are removed here.
 */
final class SharedQueues {

    private static final String STORE = "client_queue";

    /** A key ends with one byte for "is shared" and eight that number the message. */
    private static final int NUMBER_BYTES = 8;

    /** Removes the notes from all of a broker's queue stores; returns how many there were. */
    static int redeliver(File folder) {
        File[] buckets = folder.listFiles();
        int found = 0;
        for (int i = 0; buckets != null && i < buckets.length; i++) {
            Environment environment = Environments.newInstance(buckets[i], new EnvironmentConfig());
            found += redeliverBucket(environment);
            environment.close();
        }
        return found;
    }

    private static int redeliverBucket(Environment environment) {
        Transaction transaction = environment.beginExclusiveTransaction();
        int found = 0;
        if (environment.storeExists(STORE, transaction)) {
            Store store = environment.openStore(STORE, StoreConfig.USE_EXISTING, transaction);
            Cursor cursor = store.openCursor(transaction);
            while (cursor.getNext()) {
                ByteIterable key = cursor.getKey();
                byte[] value = bytes(cursor.getValue());
                boolean shared = bytes(key)[key.getLength() - NUMBER_BYTES - 1] == 1;
                // A value begins with the packet id; 0 is a message that waits.
                if (shared && (value[0] != 0 || value[1] != 0)) {
                    value[0] = 0;
                    value[1] = 0;
                    store.put(transaction, key, new ArrayByteIterable(value));
                    found++;
                }
            }
            cursor.close();
        }
        transaction.commit();
        return found;
    }

    private static byte[] bytes(ByteIterable from) {
        byte[] copy = new byte[from.getLength()];
        System.arraycopy(from.getBytesUnsafe(), 0, copy, 0, copy.length);
        return copy;
    }
}
