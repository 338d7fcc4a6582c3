/* `APIKeyMiddleware.__call__` in the class: who calls a middleware gets a `Request`, who asks for the attribute gets the
   Python function, so that it is still seen to be an `async def`. */

#include "hit.h"

typedef struct {
    PyObject_HEAD
    PyObject *function;
    vectorcallfunc call;
} HitFirst;

static PyObject *
hit_first_call(PyObject *object, PyObject *const *args, size_t nargsf, PyObject *named)
{
    HitFirst *self = (HitFirst *)object;
    if (PyVectorcall_NARGS(nargsf) != 4 || (named != NULL && PyTuple_GET_SIZE(named) != 0)) {
        return PyObject_Vectorcall(self->function, args, nargsf, named);
    }
    PyObject *let_in = PyObject_GetAttr(args[0], word._let_in);
    if (let_in == NULL) {
        return NULL;
    }
    if (!Py_IS_TYPE(let_in, &LetIn_Type)) {
        Py_DECREF(let_in);
        return PyObject_Vectorcall(self->function, args, nargsf, named);
    }
    PyObject *request = request_new(let_in, self->function, args);
    Py_DECREF(let_in);
    return request;
}

static PyObject *
hit_first_get(PyObject *object, PyObject *instance, PyObject *Py_UNUSED(owner))
{
    PyObject *function = ((HitFirst *)object)->function;
    return instance == NULL || instance == Py_None ? Py_NewRef(function) : PyMethod_New(function, instance);
}

static PyObject *
hit_first_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    static char *names[] = {"function", NULL};
    PyObject *function;
    if (!PyArg_ParseTupleAndKeywords(args, named, "O!", names, &PyFunction_Type, &function)) {
        return NULL;
    }
    HitFirst *self = (HitFirst *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->function = Py_NewRef(function);
        self->call = hit_first_call;
    }
    return (PyObject *)self;
}

static int
hit_first_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((HitFirst *)self)->function);
    return 0;
}

static int
hit_first_clear(PyObject *self)
{
    Py_CLEAR(((HitFirst *)self)->function);
    return 0;
}

static void
hit_first_dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    Py_XDECREF(((HitFirst *)self)->function);
    Py_TYPE(self)->tp_free(self);
}

PyTypeObject HitFirst_Type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "gatepost.compiled.HitFirst",
    .tp_doc = "A middleware's `async def __call__`, asked only where no hit is found.",
    .tp_basicsize = sizeof(HitFirst),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR,
    .tp_new = hit_first_new,
    .tp_dealloc = hit_first_dealloc,
    .tp_traverse = hit_first_traverse,
    .tp_clear = hit_first_clear,
    .tp_call = PyVectorcall_Call,
    .tp_descr_get = hit_first_get,
    .tp_vectorcall_offset = offsetof(HitFirst, call),
};
