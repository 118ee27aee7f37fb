/* A stand-in for libnvidia-ml.so.1 whose GPUs are told by the text file named in FAKE_NVML.
 *
 * The file has `key=value` lines and is read at each call, so a test can change it meanwhile:
 *
 *     init=9                       nvmlInit answers this error
 *     count=2                      GPUs, 8 at most
 *     0.uuid=GPU-…  0.name=…       of GPU 0; bytes as they stand in the file
 *     0.util=50  0.power=700000  0.limit=700000  0.temperature=60  0.reasons=4
 *     0.clock.1=1980  0.clock.2=2619   SM and memory clock
 *     0.energy=123                 by its own call and as a field value
 *     0.field.197=5                a field value by NVML's number
 *     0.gpm.2=55.5                 an activity in per cent by NVML's number (2, 5, 10)
 *     0.memory=used,total          bytes
 *     0.processes=PID:BYTES,PID:?  `?`: the driver does not tell
 *     0.mig=2                      two MIG slices, told as 0.0.uuid=…, 0.1.uuid=…
 *     0.xids=79,3                  three events so far of an XID 79
 *     0.handle=!15                 no handle of GPU 0
 *     delay_ms=100                 every call takes so long; 0.delay_ms=… those on GPU 0
 *     hang=1                       no call comes back while it is there; 0.hang=1 none on GPU 0
 *
 * A value `!N` makes the call answer error N; a key that is missing is not supported (3).
 * Each call appends its name to the file named in FAKE_NVML_CALLS, if any.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    OK = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7, TIMEOUT = 10
};
enum { GPUS = 8, SLICES = 4, XID = 8, ULL = 3 };

struct device { char path[16]; };
static struct device devices[GPUS][SLICES + 1];

/* The file as it was when the call began. */
static _Thread_local char told[16384];

static void reload(void) {
    const char *path = getenv("FAKE_NVML");
    FILE *file = path ? fopen(path, "r") : NULL;
    size_t length = file ? fread(told, 1, sizeof told - 1, file) : 0;
    told[length] = 0;
    if (file) fclose(file);
}

static int lookup(const char *key, char *value, size_t size) {
    size_t length = strlen(key);
    for (const char *line = told; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, key, length) || line[length] != '=') continue;
        snprintf(value, size, "%.*s", (int)strcspn(line + length + 1, "\n"), line + length + 1);
        return value[0] == '!' ? atoi(value + 1) : OK;
    }
    return NOT_SUPPORTED;
}

static void pause_ms(long ms) {
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static void delayed(const char *prefix) {
    char key[64], value[32];
    snprintf(key, sizeof key, "%sdelay_ms", prefix);
    if (lookup(key, value, sizeof value) == OK) pause_ms(atol(value));
    snprintf(key, sizeof key, "%shang", prefix);
    while (lookup(key, value, sizeof value) == OK) {
        pause_ms(20);
        reload();
    }
}

static void called(const char *name) {
    const char *path = getenv("FAKE_NVML_CALLS");
    FILE *file = path ? fopen(path, "a") : NULL;
    reload();
    if (file) {
        fprintf(file, "%s\n", name);
        fclose(file);
    }
    delayed("");
}

static int field(struct device *device, const char *name, char *value, size_t size) {
    char key[64];
    called(name);
    snprintf(key, sizeof key, "%.1s.", device->path);
    delayed(key);
    snprintf(key, sizeof key, "%s.%s", device->path, name);
    return lookup(key, value, size);
}

static int number(struct device *device, const char *name, unsigned long long *result) {
    char value[64];
    int status = field(device, name, value, sizeof value);
    if (status == OK) *result = strtoull(value, NULL, 10);
    return status;
}

static int small_number(struct device *device, const char *name, unsigned *result) {
    unsigned long long value = 0;
    int status = number(device, name, &value);
    *result = (unsigned)value;
    return status;
}

int nvmlInitWithFlags(unsigned flags) {
    char value[32];
    (void)flags;
    called("init");
    return lookup("init", value, sizeof value) == OK ? atoi(value) : OK;
}

int nvmlShutdown(void) { return OK; }

const char *nvmlErrorString(int error) {
    if (error == 15) return "GPU is lost";
    if (error == 18) return "Driver/library version mismatch";
    return "an error of the fake";
}

int nvmlDeviceGetCount_v2(unsigned *count) {
    char value[32];
    int status;
    reload();
    delayed("");
    status = lookup("count", value, sizeof value);
    *count = status == OK ? (unsigned)atoi(value) : 0;
    return status == NOT_SUPPORTED ? OK : status;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct device **result) {
    char key[32], value[256];
    int status;
    if (index >= GPUS) return INVALID_ARGUMENT;
    reload();
    snprintf(key, sizeof key, "%u.handle", index);
    status = lookup(key, value, sizeof value);
    if (status != OK && status != NOT_SUPPORTED) return status;
    *result = &devices[index][0];
    snprintf((*result)->path, sizeof (*result)->path, "%u", index);
    return OK;
}

int nvmlDeviceGetUUID(struct device *device, char *text, unsigned size) {
    return field(device, "uuid", text, size);
}

int nvmlDeviceGetName(struct device *device, char *text, unsigned size) {
    return field(device, "name", text, size);
}

int nvmlDeviceGetMemoryInfo(struct device *device, unsigned long long *total_free_used) {
    char value[128];
    int status = field(device, "memory", value, sizeof value);
    unsigned long long used = 0, total = 0;
    if (status != OK) return status;
    sscanf(value, "%llu,%llu", &used, &total);
    total_free_used[0] = total;
    total_free_used[1] = total - used;
    total_free_used[2] = used;
    return OK;
}

int nvmlDeviceGetUtilizationRates(struct device *device, unsigned *gpu_memory) {
    gpu_memory[1] = 0;
    return small_number(device, "util", gpu_memory);
}

int nvmlDeviceGetTotalEnergyConsumption(struct device *device, unsigned long long *energy) {
    return number(device, "energy", energy);
}

int nvmlDeviceGetPowerUsage(struct device *device, unsigned *power) {
    return small_number(device, "power", power);
}

int nvmlDeviceGetEnforcedPowerLimit(struct device *device, unsigned *limit) {
    return small_number(device, "limit", limit);
}

int nvmlDeviceGetTemperature(struct device *device, int sensor, unsigned *celsius) {
    (void)sensor;
    return small_number(device, "temperature", celsius);
}

int nvmlDeviceGetClockInfo(struct device *device, int kind, unsigned *mhz) {
    char name[16];
    snprintf(name, sizeof name, "clock.%d", kind);
    return small_number(device, name, mhz);
}

int nvmlDeviceGetCurrentClocksEventReasons(struct device *device, unsigned long long *reasons) {
    return number(device, "reasons", reasons);
}

struct field_value {
    unsigned id, scope;
    long long timestamp, latency;
    int type, status;
    unsigned long long value;
};

int nvmlDeviceGetFieldValues(struct device *device, int count, struct field_value *values) {
    char key[64], value[64];
    int status = field(device, "fields", value, sizeof value);
    if (status != OK && status != NOT_SUPPORTED) return status;
    for (int i = 0; i < count; i++) {
        if (values[i].id == 83)
            snprintf(key, sizeof key, "%s.energy", device->path);
        else
            snprintf(key, sizeof key, "%s.field.%u", device->path, values[i].id);
        values[i].type = ULL;
        values[i].status = lookup(key, value, sizeof value);
        if (values[i].status == OK) values[i].value = strtoull(value, NULL, 10);
    }
    return OK;
}

struct process { unsigned pid; unsigned long long memory; unsigned instance, compute; };

static int processes(struct device *device, const char *name, unsigned *count,
                     struct process *result) {
    char value[512], *entry, *rest = value;
    unsigned found = 0;
    int status = field(device, name, value, sizeof value);
    if (status != OK) return status;
    while ((entry = strsep(&rest, ",")) && *entry) {
        char *memory = strchr(entry, ':');
        if (result && found < *count) {
            result[found].pid = (unsigned)atoi(entry);
            result[found].memory =
                memory && memory[1] != '?' ? strtoull(memory + 1, NULL, 10) : ~0ULL;
            result[found].instance = result[found].compute = ~0u;
        }
        found++;
    }
    status = found > *count ? INSUFFICIENT_SIZE : OK;
    *count = found;
    return status;
}

int nvmlDeviceGetComputeRunningProcesses_v3(struct device *device, unsigned *count,
                                            struct process *result) {
    return processes(device, "processes", count, result);
}

int nvmlDeviceGetComputeRunningProcesses_v2(struct device *device, unsigned *count,
                                            struct process *result) {
    return processes(device, "processes_v2", count, result);
}

int nvmlDeviceGetMigMode(struct device *device, unsigned *current, unsigned *pending) {
    unsigned long long value = 0;
    int status = number(device, "mig", &value);
    *current = *pending = value > 0;
    return status;
}

int nvmlDeviceGetMaxMigDeviceCount(struct device *device, unsigned *count) {
    (void)device;
    *count = SLICES;
    return OK;
}

int nvmlDeviceGetMigDeviceHandleByIndex(struct device *device, unsigned index,
                                        struct device **result) {
    unsigned long long slices = 0;
    unsigned gpu = (unsigned)atoi(device->path);
    if (number(device, "mig", &slices) != OK || index >= slices) return NOT_FOUND;
    *result = &devices[gpu][index + 1];
    snprintf((*result)->path, sizeof (*result)->path, "%u.%u", gpu, index);
    return OK;
}

int nvmlDeviceGetGpuInstanceId(struct device *device, unsigned *instance) {
    const char *slice = strchr(device->path, '.');
    if (!slice) return INVALID_ARGUMENT;
    *instance = (unsigned)atoi(slice + 1);
    return OK;
}

/* GPM: a sample remembers whose it is; a metric is what the file says when it is asked for. */

struct gpm_support { unsigned version, is_supported; };
struct gpm_metric { unsigned id; int status; double value; char *names[3]; };
struct gpm_metrics {
    unsigned version, count;
    struct device *first, *second;
    struct gpm_metric metrics[];
};

int nvmlGpmQueryDeviceSupport(struct device *device, struct gpm_support *support) {
    char key[64], value[64];
    int is_there = 0;
    called("gpm");
    for (int slice = -1; slice < SLICES; slice++) {
        if (slice < 0)
            snprintf(key, sizeof key, "%s.gpm.2", device->path);
        else
            snprintf(key, sizeof key, "%s.%d.gpm.2", device->path, slice);
        is_there = is_there || lookup(key, value, sizeof value) == OK;
    }
    support->is_supported = (unsigned)is_there;
    return OK;
}

int nvmlGpmSampleAlloc(struct device **sample) {
    *sample = calloc(1, sizeof **sample);
    return OK;
}

int nvmlGpmSampleGet(struct device *device, struct device *sample) {
    char value[32];
    int status = field(device, "gpm_sample", value, sizeof value);
    *sample = *device;
    return status == NOT_SUPPORTED ? OK : status;
}

int nvmlGpmMigSampleGet(struct device *device, unsigned instance, struct device *sample) {
    snprintf(sample->path, sizeof sample->path, "%.8s.%u", device->path, instance % SLICES);
    return OK;
}

int nvmlGpmMetricsGet(struct gpm_metrics *asked) {
    char key[64], value[64];
    for (unsigned i = 0; i < asked->count; i++) {
        struct gpm_metric *metric = &asked->metrics[i];
        snprintf(key, sizeof key, "%s.gpm.%u", asked->second->path, metric->id);
        metric->status = lookup(key, value, sizeof value);
        if (metric->status == OK) metric->value = strtod(value, NULL);
    }
    return OK;
}

/* Events: what the file tells of and was not handed out yet. */

struct event_set { struct device *devices[GPUS]; int told[GPUS]; };
struct event {
    struct device *device;
    unsigned long long type, data;
    unsigned instance, compute;
};

int nvmlEventSetCreate(struct event_set **set) {
    char value[32];
    called("event_set");
    if (lookup("init", value, sizeof value) == OK) return UNINITIALIZED;
    *set = calloc(1, sizeof **set);
    return OK;
}

int nvmlDeviceRegisterEvents(struct device *device, unsigned long long types,
                             struct event_set *set) {
    char key[32], value[64];
    int gpu = atoi(device->path), code = 0, count = 0;
    (void)types;
    reload();
    snprintf(key, sizeof key, "%d.xids", gpu);
    if (lookup(key, value, sizeof value) != OK) return NOT_SUPPORTED;
    sscanf(value, "%d,%d", &code, &count);
    set->devices[gpu] = device;
    set->told[gpu] = count;
    return OK;
}

int nvmlEventSetWait_v2(struct event_set *set, struct event *event, unsigned timeout_ms) {
    for (unsigned waited = 0; waited < timeout_ms; waited += 20) {
        reload();
        for (int gpu = 0; gpu < GPUS; gpu++) {
            char key[32], value[64];
            int code = 0, count = 0;
            snprintf(key, sizeof key, "%d.xids", gpu);
            if (!set->devices[gpu] || lookup(key, value, sizeof value) != OK) continue;
            sscanf(value, "%d,%d", &code, &count);
            if (count <= set->told[gpu]) continue;
            set->told[gpu]++;
            *event = (struct event){set->devices[gpu], XID, (unsigned)code, ~0u, ~0u};
            return OK;
        }
        pause_ms(20);
    }
    return TIMEOUT;
}
